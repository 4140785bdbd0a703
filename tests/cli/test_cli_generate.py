"""`elman generate` as a command: streams, samples, records, beams, and one line for what cannot be done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
from command_line import PATIENCE, refused, run
from small_models import save

import elman
from elman.cli.shared import console
from elman.generation import beam_search

pytestmark = pytest.mark.usefixtures("default_signals")

TEXT = "the traveller came down to the sea.\nand went home again.\n"
FOREVER = ["--length", "1000000000"]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "text"
    save(path)
    return path


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "elman.cli", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_a_reader_gets_text_while_it_is_made_and_may_leave(path):
    process = start("generate", path, "the", *FOREVER)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.read(500).decode() == "the" + elman.generate(elman.load(path), "the", 497)
    process.stdout.close()
    assert process.wait(PATIENCE) == 1
    assert process.stderr.read() == b""
    process.stderr.close()


def test_ctrl_c_is_clean(path):
    process = start("generate", path, "the", *FOREVER)
    assert process.stdout is not None
    process.stdout.read(100)
    process.send_signal(signal.SIGINT)
    _, printed = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert printed.strip() == b""


def test_options_are_the_librarys(path, command):
    model = elman.load(path)
    text = command(
        *("generate", path, "the", "--length", 30, "--temperature", 0.8, "--alpha", 1.1, "--top-k", 9, "--top-p", 0.95),
        *("--min-p", 0.01, "--repetition-penalty", 1.2, "--logit-bias", "e=-2", "--logit-bias", "t=-inf", "--seed", 7),
        *("--allowed", "acdet "),
    )
    settings = {"temperature": 0.8, "alpha": 1.1, "top_k": 9, "top_p": 0.95, "min_p": 0.01, "repetition_penalty": 1.2}
    bias = {"e": -2.0, "t": float("-inf")}
    assert (
        text == "the" + elman.generate(model, "the", 30, seed=7, logit_bias=bias, allowed="acdet ", **settings) + "\n"
    )
    assert not set(text[3:-1]) - set("acde ")


def test_a_stop_may_be_a_line_end_and_one_that_never_comes_changes_nothing(path, command):
    whole = elman.generate(elman.load(path), "the", 300)
    assert "\n" in whole
    assert command("generate", path, "the", "--length", 300, "--stop", "\\n") == "the" + whole.split("\n")[0] + "\n"
    assert command("generate", path, "the", "--length", 40, "--stop", "§§") == "the" + whole[:40] + "\n"


def test_an_empty_prompt(path, command):
    assert command("generate", path, "--length", 9) == elman.generate(elman.load(path), "", 9) + "\n"


def test_samples(path, command):
    texts = elman.generate(elman.load(path), "a", 12, num_samples=3, seed=2)
    options = ("--length", 12, "--num-samples", 3, "--seed", 2)
    assert command("generate", path, "a", *options) == "\n".join(f"a{text}\n" for text in texts)
    rows = [json.loads(line) for line in command("generate", path, "a", *options, "--json").splitlines()]
    assert rows == [{"sample": i, "prompt": "a", "text": t, "unknown": ""} for i, t in enumerate(texts)]


def test_a_beam(path, command):
    beams = beam_search(elman.load(path), "th", 6, 4)[:2]
    options = ("--length", 6, "--beam", 4, "--num-samples", 2, "--json")
    rows = [json.loads(line) for line in command("generate", path, "th", *options).splitlines()]
    assert [(row["text"], row["bits"]) for row in rows] == [(b.text, b.bits) for b in beams]


def test_records_end(tmp_path, command):
    model = save(tmp_path / "names", "ada\nbo\ngrace\n", records=True)
    lines = command("generate", tmp_path / "names", "--num-samples", 8, "--length", 500).split("\n")
    assert lines == [*elman.generate(model, "", 500, num_samples=8), ""]
    assert all(len(line) < 100 for line in lines)


def test_a_beam_prints_all_that_it_found(path, command):
    beams = beam_search(elman.load(path), "th", 6, 4)
    assert len(beams) == 4
    printed = command("generate", path, "th", "--length", 6, "--beam", 4, "--json")
    assert [json.loads(line)["text"] for line in printed.splitlines()] == [b.text for b in beams]


def test_a_prompt_from_a_file_and_from_standard_input(path, tmp_path):
    (tmp_path / "prompt").write_text("the sea\n\n")
    expected = "the sea\n" + elman.generate(elman.load(path), "the sea\n", 9) + "\n"
    assert run("generate", path, "--prompt-file", tmp_path / "prompt", "--length", 9).stdout == expected
    assert run("generate", path, "-", "--length", 9, stdin="the sea\n\n").stdout == expected
    assert run("generate", path, "--prompt", "-", "--length", 0).stdout == "-\n"
    refused(run("generate", path, "the", "--prompt-file", tmp_path / "prompt"), "the prompt is given twice")
    refused(run("generate", path, "--prompt-file", tmp_path / "none"), "none: no such file")


def test_a_random_seed_is_shown_and_gives_the_same_again(path):
    first = run("generate", path, "the", "--length", 30, "--seed", "random")
    word, seed = first.stderr.split()
    assert word == "seed"
    assert run("generate", path, "the", "--length", 30, "--seed", seed).stdout == first.stdout
    assert run("generate", path, "the", "--length", 30, "--seed", "random").stderr != first.stderr


def test_new_records_are_in_no_list(tmp_path, command):
    names = "ada\nbo\ngrace\n"
    (tmp_path / "list").write_text(names)
    model = save(tmp_path / "names", names, records=True)
    options = ("--new", 12, "--corpus", tmp_path / "list", "--length", 9, "--seed", 3)
    rows = [json.loads(line) for line in command("generate", tmp_path / "names", *options, "--json").splitlines()]
    texts = [row["text"] for row in rows]
    assert len({*texts} - {"", "ada", "bo", "grace"}) == 12
    assert all(len(text) <= 9 for text in texts)
    assert [row["bits"] for row in rows] == sorted(row["bits"] for row in rows)
    for row in rows:
        assert row["bits"] == pytest.approx(elman.score(model, row["text"]).bits, rel=1e-6)
    assert command("generate", tmp_path / "names", *options) == "".join(f"{text}\n" for text in texts)
    begun = command("generate", tmp_path / "names", "a", *options).split("\n")[:-1]
    assert all(text.startswith("a") and text != "ada" for text in begun)


def test_fewer_new_records_than_asked_for(tmp_path):
    names = "ada\n"
    save(tmp_path / "m", names, records=True)
    (tmp_path / "list").write_text(names)
    done = run("generate", tmp_path / "m", "--new", 3, "--corpus", tmp_path / "list", "--temperature", 0)
    assert (done.returncode, len(done.stdout.splitlines()) <= 1) == (0, True)
    assert "of 3: the model writes little else than its training list" in done.stderr


def test_new_records_that_a_program_finds_valid(tmp_path):
    names = "ada\nbo\ngrace\n"
    (tmp_path / "list").write_text(names)
    model = save(tmp_path / "m", names, records=True)
    arguments = ("--new", 5, "--corpus", tmp_path / "list", "--length", 9, "--seed", 3)
    done = run("generate", tmp_path / "m", *arguments, "--check", "grep -q '^a.*c'")
    texts = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert len(set(texts)) == 5
    assert all(text.startswith("a") and "c" in text for text in texts)
    asked: list[str] = []

    def check(text: str) -> bool:
        asked.append(text)
        return text.startswith("a") and "c" in text

    known = names.split("\n")
    assert elman.generate(model, "", 9, new=5, known=known, check=check, seed=3) == texts
    assert len(asked) == len(set(asked))
    assert elman.generate(model, "", 9, new=5, known=known, seed=3) != texts
    done = run("generate", tmp_path / "m", *arguments, "--check", "exit 1")
    assert done.stdout == ""
    assert "found 0 of 5" in done.stderr
    assert "or --check refuses it" in done.stderr
    done = run("generate", tmp_path / "m", *arguments, "--check", "./no-such")
    assert (done.returncode, done.stderr.splitlines()[-1][-44:]) == (
        2,
        "no-such: the shell cannot run it (status 127)"[-44:],
    )
    refused(run("generate", tmp_path / "m", "--check", "true"), "--check is of the records of --new; give --new N")
    with pytest.raises(elman.InputError, match="leave out num_samples, stop"):
        elman.generate(model, new=2, num_samples=3)  # type: ignore[call-overload]
    with pytest.raises(elman.InputError, match="give new=N"):
        elman.generate(model, known=["ada"])  # type: ignore[call-overload]
    with pytest.raises(elman.InputError, match="check is 5; expected a function or None"):
        elman.generate(model, new=2, check=5)  # type: ignore[call-overload]


def test_lists_of_prompts_and_a_runs_folder(path, tmp_path):
    model = elman.load(path)
    prompts = ["the", "", "came down"]
    assert elman.generate(model, prompts, 8, seed=4) == [elman.generate(model, p, 8, seed=4) for p in prompts]
    both = elman.generate(model, prompts, 8, num_samples=2)
    assert both == [elman.generate(model, p, 8, num_samples=2) for p in prompts]
    elman.save(model, tmp_path / "model.safetensors")
    assert elman.load(tmp_path).digest() == model.digest()
    assert repr(model) == "LanguageModel(GRU(20, 8), 20 chars, normalisation 'none', 900 parameters)"


def test_a_terminal_that_is_not_utf_8(path, tmp_path):
    save(tmp_path / "m", "żółć " * 9)
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = run("generate", tmp_path / "m", "ż", "--length", "20", env=environment)
    assert done.returncode == 0
    assert done.stdout.startswith("\\u017c")
    done = run("generate", tmp_path / "m", "ż", "--length", "20", "--json", env=environment)
    assert json.loads(done.stdout)["text"] == elman.generate(elman.load(tmp_path / "m"), "ż", 20)


def test_a_terminal_gets_no_control_characters(monkeypatch, capsys):
    console.write("a\x1b[2J\n")
    assert capsys.readouterr().out == "a\x1b[2J\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    console.write("a\x1b[2J\tb\n")
    assert capsys.readouterr().out == "a\\x1b[2J\tb\n"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("--temperature -1", "--temperature must be 0 (greedy) or above, got -1"),
        ("--temperature nan", "--temperature must be 0"),
        ("--alpha 0", "--alpha must be above 0"),
        ("--top-p 0", "--top-p must be in (0, 1]"),
        ("--top-p 1.5", "--top-p must be in (0, 1], got 1.5"),
        ("--min-p 2", "--min-p must be in [0, 1]"),
        ("--length -1", "--length must be at least 0"),
        ("--num-samples 0", "--num-samples must be at least 1"),
        ("--num-samples 99999999999", "--num-samples must be at most 1,000,000"),
        ("--logit-bias ee=1", "--logit-bias takes CHAR=VALUE"),
        ("--logit-bias e=x", "--logit-bias takes CHAR=VALUE"),
        ("--allowed ż", "--allowed: the model has no character 'ż'"),
        ("--allowed=", "--allowed is empty; give at least a character, or leave it out for all"),
        ("--allowed t --logit-bias t=-inf", "--allowed and --logit-bias together leave no character"),
        ("--temperature 1e-40", "--alpha / --temperature is"),
        ("--choice integers --top-p 0.5", "--choice 'integers' takes no --top-p and no --min-p"),
        ("--beam 2 --new 3", "give one of them"),
        ("--new 3", "only a model of records writes new ones"),
        ("--new 0 --num-samples 3", "leave out --num-samples"),
        ("--corpus x", "--corpus is the list that --new leaves out"),
        ("--seed x", "--seed: expected a whole number or random, got 'x'"),
        ("--seed -1", "--seed must be in 0 .. 2^64-1, got -1"),
        ("--beam 0", "a beam of 0 finds no 1 texts; widen --beam"),
        ("--beam 2 --num-samples 3", "a beam of 2 finds no 3 texts"),
        ("--beam 2 --temperature 0.5", "--beam draws nothing"),
        ("--interactive --json", "leave out PROMPT"),
        ("--interactive", "needs a terminal"),
    ],
)
def test_refusals(path, options, expected):
    prompt = [] if "--interactive" in options else ["the"]
    refused(run("generate", path, *prompt, *options.split()), expected)


def test_a_terminal_is_asked_before_a_named_text_is_opened(tmp_path, monkeypatch):
    from elman.cli.shared import training_text

    (tmp_path / "list").write_text("ada\nbo\n")
    corpus = elman.load_corpus(tmp_path / "list", normalisation="none", records=True)
    model = elman.build_model(corpus, hidden_size=4, init_std=None)
    about = {"name": "list", "source": str(tmp_path / "list"), "digest": corpus.digest()}
    elman.save(model, tmp_path / "m", {"corpus": about})
    asked = []

    def answer(question, **_):
        asked.append(question)
        return len(asked) == 1

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(type(training_text.err), "is_terminal", True)
    monkeypatch.setattr(training_text.typer, "confirm", answer)
    train, held_out = training_text.training_parts(model, tmp_path / "m", None)
    assert (model.reading.vocabulary.decode(train), held_out) == ("ada\nbo\n", None)
    with pytest.raises(elman.InputError, match="give the training text as --corpus"):
        training_text.training_parts(model, tmp_path / "m", None)
    assert str(tmp_path / "list") in asked[0]
    training_text.training_parts(model, tmp_path / "m", str(tmp_path / "list"))
    assert len(asked) == 2
