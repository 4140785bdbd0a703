"""`elman generate` as a command: streams, samples, records, beams, and one line for what cannot be done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
from commands import run
from test_cli import refused

import elman
from elman.cli import console
from elman.generation import beam_search

TEXT = "the traveller came down to the sea.\nand went home again.\n"
FOREVER = ["--length", "1000000000"]


def save(path, text: str | bytes = TEXT, records=False):
    model = elman.build_model(
        elman.Corpus("t", text, "none", "here", records), cell="gru", hidden_size=8, init_std=None, seed=5
    )
    elman.save(model, path)
    return elman.load(path)


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
    assert process.wait(60) == 1
    assert process.stderr.read() == b""
    process.stderr.close()


def test_ctrl_c_is_clean(path):
    process = start("generate", path, "the", *FOREVER)
    assert process.stdout is not None
    process.stdout.read(100)
    process.send_signal(signal.SIGINT)
    _, printed = process.communicate(timeout=60)
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
        ("--temperature -1", "temperature must be 0 (greedy) or above, got -1"),
        ("--temperature nan", "temperature must be 0"),
        ("--alpha 0", "alpha must be above 0"),
        ("--top-p 0", "top_p must be in (0, 1]"),
        ("--top-p 1.5", "top_p must be in (0, 1], got 1.5"),
        ("--min-p 2", "min_p must be in [0, 1]"),
        ("--length -1", "length must be at least 0"),
        ("--num-samples 0", "num_samples must be at least 1"),
        ("--logit-bias ee=1", "CHAR=VALUE"),
        ("--logit-bias e=x", "CHAR=VALUE"),
        ("--allowed ż", "the model has no character 'ż'"),
        ("--beam 0", "width must be at least 1"),
        ("--beam 2 --num-samples 3", "a beam of 2 finds no 3 texts"),
        ("--beam 2 --temperature 0.5", "--beam draws nothing"),
        ("--interactive --json", "leave out PROMPT"),
        ("--interactive", "needs a terminal"),
    ],
)
def test_refusals(path, options, expected):
    prompt = [] if "--interactive" in options else ["the"]
    refused(run("generate", path, *prompt, *options.split()), expected)
