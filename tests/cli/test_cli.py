"""The command: what it writes, what it prints, and one line with status 2 for whatever a user can get wrong."""

from __future__ import annotations

import functools
import json
import signal
import subprocess
import sys
import time

import pytest
from command_line import PATIENCE, refused, run

import elman

pytestmark = pytest.mark.usefixtures("default_signals")

SMALL = ["--hidden-size", "12", "--batch-size", "4", "--seq-length", "9", "--epochs", "3", "--max-chars", "1500"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "small"
    done = run("train", "traveller", "--output", folder, *SMALL)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_a_run_is_a_folder(trained):
    folder, printed = trained
    assert sorted(p.name for p in folder.iterdir()) == [
        "checkpoint.safetensors",
        "curve.svg",
        "log.jsonl",
        "model.safetensors",
    ]
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [entry["epoch"] for entry in log] == [1, 2, 3]
    assert log[0].keys() >= {"train_perplexity", "val_perplexity", "seconds", "chars_per_second", "grad_norm"}
    assert log[0]["val_perplexity"] is None
    assert "<svg" in (folder / "curve.svg").read_text()
    assert f"epoch    3  perplexity {log[2]['train_perplexity']:.3f}" in printed
    assert elman.load(folder / "model.safetensors").digest() in printed


def test_same_command_same_digest(trained, tmp_path):
    again = run("train", "traveller", "--output", tmp_path / "again", *SMALL, "--json")
    assert json.loads(again.stdout)["digest"] in trained[1]
    other = run("train", "traveller", "--output", tmp_path / "other", *SMALL, "--seed", "1", "--json")
    assert json.loads(other.stdout)["digest"] not in trained[1]


def test_json_is_for_programs(trained):
    folder, _ = trained
    generated = json.loads(run("generate", folder, "Traveller#", "--length", "20", "--json").stdout)
    assert len(generated["text"]) == 20
    assert generated["unknown"] == "#"
    scored = json.loads(run("score", folder, "--json", stdin="the traveller").stdout)
    assert scored["characters"] == 13
    assert scored["perplexity"] == pytest.approx(2 ** scored["bits_per_char"])
    info = json.loads(run("info", folder, "--json").stdout)
    assert info["cell"] == "rnn_relu"
    assert info["digest"] == elman.load(folder / "model.safetensors").digest()
    assert "traveller" in {row["name"] for row in json.loads(run("corpora", "--json").stdout)}


def test_generate_and_score_print_plain_text(trained):
    folder, _ = trained
    greedy = run("generate", folder, "the", "--length", "15", "--temperature", "0")
    assert greedy.stdout.startswith("the")
    assert len(greedy.stdout) == 3 + 15 + 1
    assert "bits/char" in run("score", folder, stdin="the traveller").stdout


@pytest.mark.slow
def test_ctrl_c_leaves_the_model(tmp_path):
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "elman.cli", "train", "--output", str(folder), "--epochs", "100000"]
    restore = functools.partial(signal.signal, signal.SIGINT, signal.default_int_handler)  # the shell may ignore it
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=restore)
    log, end = folder / "log.jsonl", time.monotonic() + PATIENCE
    while not (log.exists() and log.read_text().count("\n") >= 2) and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "stopped after" in printed
    elman.load(folder / "model.safetensors")


CORPORA = {
    "empty": (b"", "is empty"),
    "one": (b"x", "1"),
    "cut": ("abc €".encode()[:-1], "offset 4"),
    "binary": (b"\x00\xff\xfe\x01" * 50, "offset 1"),
}


@pytest.mark.parametrize("name", CORPORA)
def test_a_corpus_that_cannot_be_read(name, tmp_path):
    (tmp_path / name).write_bytes(CORPORA[name][0])
    refused(run("train", name, cwd=tmp_path), CORPORA[name][1])
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train", "missing.txt"], "missing.txt"),
        (["train", "."], "no "),
        (["train", "--recipe", "nonsense"], "nonsense"),
        (["train", "--cell", "perceptron"], "perceptron"),
        (["train", "--epochs", "many"], "--epochs"),
        (["train", "--lr", "0"], "lr"),
        (["train", "--batch-size", "5000"], "short"),
        (["train", "--seed", str(2**64)], "seed must be below 2^64"),
        (["train", "--hidden-size", str(10**20)], "--hidden-size must be below 2^31"),
        (["train", "--hidden-size", "500000000"], "not enough memory"),
        (["train", "--every", "-1"], "--every"),
        (["train", "--frobnicate"], "--frobnicate"),
        (["frobnicate"], "frobnicate"),
        (["info", "missing.safetensors"], "missing.safetensors"),
    ],
    ids=str,
)
def test_one_line_and_status_2(arguments, expected, tmp_path):
    refused(run(*arguments, cwd=tmp_path), expected)


@pytest.mark.parametrize("page", [".", "/proc/page.html"])
def test_a_page_that_cannot_be_written_is_named(page, trained, tmp_path):
    refused(run("score", trained[0], "--html", page, stdin="the", cwd=tmp_path), f"elman: {page}: ")


@pytest.mark.slow
def test_a_stream_that_the_shell_has_closed(trained):
    def in_shell(command):
        line = f"{sys.executable} -m elman.cli {command}"
        return subprocess.run(line, shell=True, capture_output=True, text=True, timeout=PATIENCE)

    refused(in_shell(f"score {trained[0]} <&-"), "standard input is empty")
    done = in_shell(f"generate {trained[0]} --length 5 >&-")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_model_file_that_is_none(trained, tmp_path):
    whole = (trained[0] / "model.safetensors").read_bytes()
    for name, content in (("cut", whole[: len(whole) // 2]), ("foreign", b"PK\x03\x04" * 40)):
        (tmp_path / name).write_bytes(content)
        refused(run("generate", tmp_path / name, "the"), name)


@pytest.mark.parametrize(
    ("option", "value"),
    [("--temperature", "-1"), ("--alpha", "0"), ("--top-p", "0"), ("--top-p", "1.5"), ("--top-k", "0")],
)
def test_decoding_out_of_range(trained, option, value):
    refused(run("generate", trained[0], "the", option, value), f"{option} must be")


def test_a_run_is_not_written_over(trained):
    before = (trained[0] / "model.safetensors").read_bytes()
    refused(run("train", "--output", trained[0], *SMALL), "--overwrite")
    assert (trained[0] / "model.safetensors").read_bytes() == before


def test_no_command_shows_the_help():
    done = run()
    assert "train" in done.stdout
    assert done.stderr == ""


def test_every_command_runs_where_torch_cannot_be_imported(tmp_path):
    commands = [
        ["--help"],
        ["--version"],
        ["corpora"],
        ["recipes"],
        ["train", "--hidden-size", "8", "--epochs", "1", "--output", "run"],
        ["generate", "run", "the", "--length", "5"],
        ["generate", "run", "the", "--length", "5", "--beam", "2"],
        ["score", "run", "text"],
        ["score", "run", "text", "--html", "page.html"],
        ["inspect", "run", "text", "--length", "50"],
        ["info", "run"],
    ]
    (tmp_path / "text").write_text("the traveller came home\n")
    code = f"""
import sys
sys.modules["torch"] = None
import elman
from elman.cli import main
for arguments in {commands!r}:
    sys.argv = ["elman", *arguments]
    try:
        main()
    except SystemExit as done:
        assert not done.code, (arguments, done.code)
assert all(getattr(elman, name) for name in elman.__all__)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_help_needs_neither_the_kernel_nor_pictures():
    code = """
import sys
sys.argv = ["elman", "--help"]
from elman.cli import main
try:
    main()
except SystemExit as done:
    assert not done.code
late = {"torch", "matplotlib", "safetensors", "prompt_toolkit", "urllib.request", "elman.kernels", "elman.corpora"}
assert not late & set(sys.modules), late & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
