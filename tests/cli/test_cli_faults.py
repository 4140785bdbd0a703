"""What a user's own names, texts and stops must not do to the command."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from command_line import PATIENCE, run

import elman
from elman import kernels
from elman.cli import main
from elman.corpora import files
from elman.training import loop

pytestmark = pytest.mark.usefixtures("default_signals")

SMALL = ["--epochs", "1", "--hidden-size", "8", "--batch-size", "4", "--seq-length", "16", "--sample-every", "0"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lines(count: int = 120, word: str = "line") -> str:
    return "".join(f"{word} {i}: good morning, small world {i * 37 % 101}\n" for i in range(count))


def refused(monkeypatch, capsys, *arguments: str) -> str:
    """Run the command, which must end with status 2 and one line; that line."""
    monkeypatch.setattr(sys, "argv", ["elman", *arguments])
    with pytest.raises(SystemExit) as done:
        main()
    message = capsys.readouterr().err
    assert done.value.code == 2
    assert message.startswith("elman: ")
    assert message.count("\n") == 1
    return message


@pytest.mark.parametrize("name", ["talk [dQw4].txt", "[bold] b [red].txt", ":bug: at 00:cd:11.txt", "$HOME_$USER.txt"])
def test_a_name_is_shown_and_kept_as_it_is(folder, command, name):
    Path(name).write_text(lines())
    shown = command("train", name, *SMALL, "--output", f"runs/{name}").splitlines()
    assert shown[0].startswith(f"{name}: ")
    assert f"runs/{name}/model.safetensors  log.jsonl  curve.svg" in shown
    ElementTree.parse(f"runs/{name}/curve.svg")


def test_control_characters_reach_neither_a_picture_nor_a_terminal(folder, command, monkeypatch, capsys):
    Path("b\x07l.txt").write_text(lines())
    command("train", "b\x07l.txt", *SMALL, "--output", "r")
    ElementTree.parse("r/curve.svg")
    assert "no such file" in (message := refused(monkeypatch, capsys, "train", "\x1b[31mred"))
    assert "\\x1b[31mred" in message
    assert "\x1b" not in message


def test_a_name_that_is_not_utf8(folder, command):
    name = os.fsdecode(b"caf\xe9.txt")
    Path(name).write_text(lines())
    command("train", name, *SMALL, "--output", "r")
    assert json.loads(command("info", "r", "--json"))["run"]["corpus"]["source"] == name


def test_encodings(folder, command, monkeypatch, capsys):
    Path("a.txt").write_bytes(lines(word="café").encode("cp1252"))
    assert "byte 0xe9 at offset 3" in refused(monkeypatch, capsys, "train", "a.txt", *SMALL)
    command("train", "a.txt", "--encoding", "cp1252", *SMALL, "--output", "r")
    assert "é" in json.loads(command("info", "r", "--json"))["symbols"]
    assert "no encoding 'cp9999'" in refused(monkeypatch, capsys, "train", "a.txt", "--encoding", "cp9999")
    assert "cannot be read as rot13" in refused(monkeypatch, capsys, "train", "a.txt", "--encoding", "rot13")
    Path("b.txt").write_bytes(lines(word="日本").encode("utf-16"))
    assert elman.load_corpus("b.txt", normalisation="none").text == lines(word="日本")
    Path("b.txt").write_bytes("\ufeffone".encode("utf-16-le"))
    assert elman.load_corpus("b.txt", encoding="utf-16-le").text == "one"


def test_every_file_of_a_folder_has_its_own_mark_and_name(folder, monkeypatch, capsys):
    Path("f").mkdir()
    Path("f/a.txt").write_bytes("one".encode("utf-8-sig"))
    Path("f/b.txt").write_bytes("two".encode("utf-16"))
    assert elman.load_corpus("f").text == "one\ntwo"
    Path("f/c.txt").write_bytes(b"caf\xe9")
    assert "elman: f/c.txt: not UTF-8" in refused(monkeypatch, capsys, "train", "f")


def test_half_a_surrogate_pair_is_refused_before_training(folder, monkeypatch, capsys):
    Path("t.jsonl").write_text('{"text": "fine"}\n{"text": "bye \\ud83d"}\n')
    assert "t.jsonl, line 2: half a surrogate pair" in refused(
        monkeypatch, capsys, "train", "t.jsonl", "--field", "text"
    )
    Path("many").mkdir()
    Path("many/a.jsonl").write_text('{"text": "one"}\n{"text": "two"}')
    Path("many/b.jsonl").write_text('{"text": "three"}\n{"text": 4}\n')
    message = refused(monkeypatch, capsys, "train", "many", "--field", "text")
    assert "elman: many/b.jsonl, line 2: expected an object" in message
    Path("deep.jsonl").write_text('{"text": ' + "[" * 100_000 + "\n")
    assert "deep.jsonl, line 1: not JSON" in refused(monkeypatch, capsys, "train", "deep.jsonl", "--field", "text")


def test_endless_input_is_bounded(folder, monkeypatch, capsys):
    monkeypatch.setattr(files, "_MOST", 1 << 20)
    Path("bomb.gz").write_bytes(gzip.compress(bytes(1 << 26)))
    assert "bomb.gz: more than" in refused(monkeypatch, capsys, "train", "bomb.gz")
    assert "/dev/zero is a device" in refused(monkeypatch, capsys, "train", "/dev/zero")
    os.mkfifo("fifo")  # without a writer
    assert "fifo is empty" in refused(monkeypatch, capsys, "train", "fifo")


@pytest.mark.parametrize(
    "address",
    [
        "http://me:secret@127.0.0.1:9/a b",
        "http://me:part@secret@127.0.0.1:9/",
        "http://me:se/cret@127.0.0.1:9/",
        "HTTPS://secret@127.0.0.1:9/a",
    ],
)
def test_an_address_with_a_password_is_refused_and_not_shown(folder, monkeypatch, capsys, address):
    message = refused(monkeypatch, capsys, "train", address)
    assert "has a user name or a password; download it by other means" in message
    assert not any(part in message for part in ("secret", "cret@", "me:"))


def test_malformed_addresses(folder, monkeypatch, capsys):
    assert "can't contain control characters" in refused(monkeypatch, capsys, "train", "http://127.0.0.1:9/a b")
    assert "nonnumeric port: 'x'" in refused(monkeypatch, capsys, "train", "http://127.0.0.1:x/a")


def test_less_than_a_record(folder, monkeypatch, capsys):
    Path("t.txt").write_text(lines(3))
    assert "--max-chars 9 is less than the first record" in refused(
        monkeypatch, capsys, "train", "t.txt", "--records", "--max-chars", "9"
    )


def test_a_divergence_keeps_the_model_and_the_log(folder, command, monkeypatch, capsys):
    command("train", "traveller", *SMALL, "--output", "r")
    before = {name: Path("r", name).read_bytes() for name in ("model.safetensors", "log.jsonl")}
    message = refused(monkeypatch, capsys, "train", "traveller", *SMALL, "--lr", "1e10", "--overwrite", "--output", "r")
    assert "diverged" in message
    assert {name: Path("r", name).read_bytes() for name in before} == before
    assert not Path("r/log.new.jsonl").exists()


def test_a_divergence_later_keeps_the_last_whole_epoch(tmp_path):
    corpus = elman.Corpus("t", lines(), "none", "here")
    recipe = elman.Recipe().replace(hidden_size=8, batch_size=4, seq_length=16, epochs=3, prompts=())
    model = elman.build_model(corpus, recipe)
    digests = []

    def spoil(epoch):
        digests.append(model.digest())
        if epoch.epoch == 2:
            model.output.weight[:] = np.nan

    with pytest.raises(elman.TrainingDiverged, match="epoch 3, step 1"):
        elman.fit(model, corpus, recipe, output=tmp_path, on_epoch=spoil)
    assert elman.load(tmp_path / "model.safetensors").digest() == digests[1]
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 2


def test_a_reader_that_leaves_and_a_callback_that_fails_lose_nothing(tmp_path):
    corpus = elman.Corpus("t", lines(), "none", "here")
    recipe = elman.Recipe().replace(hidden_size=8, batch_size=4, seq_length=16, epochs=3, prompts=())
    model = elman.build_model(corpus, recipe)

    def leave(_):
        raise BrokenPipeError(32, "Broken pipe")

    with pytest.raises(BrokenPipeError):
        elman.fit(model, corpus, recipe, output=tmp_path, on_epoch=leave)
    assert elman.load(tmp_path / "model.safetensors").digest() == model.digest()


STOPPED = """
import os, signal, sys
import elman
number, own = signal.Signals(int(sys.argv[1])), sys.argv[2] == "own"
if own:
    signal.signal(number, lambda *_: print("handled", flush=True))
before = signal.getsignal(number)
corpus = elman.Corpus("t", sys.argv[3], "none", "here")
recipe = elman.Recipe().replace(hidden_size=8, batch_size=4, seq_length=16, epochs=10**6, prompts=())
model = elman.build_model(corpus, recipe)
def stop(step):
    if step.epoch == 3:
        os.kill(os.getpid(), number)
try:
    run = elman.fit(model, corpus, recipe, output="r", on_step=stop)
    print("interrupted", run.interrupted)
except KeyboardInterrupt:
    print("KeyboardInterrupt")
print("handlers", signal.getsignal(number) == before, "saved", elman.load("r").digest() == model.digest())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("handler", ["own", "default", "ignored"])
def test_fit_saves_and_gives_the_signal_to_the_program(folder, number, handler):
    text, rest = lines(), "handlers True saved True\n"

    def set_signals():
        signal.signal(number, signal.SIG_IGN if handler == "ignored" else signal.SIG_DFL)

    script = STOPPED.replace("10**6", "4") if handler == "ignored" else STOPPED
    done = subprocess.run(
        [sys.executable, "-c", script, str(int(number)), handler, text],
        capture_output=True, text=True, timeout=PATIENCE, preexec_fn=set_signals,
    )  # fmt: skip
    if handler == "own":
        assert (done.returncode, done.stdout) == (0, "handled\ninterrupted True\n" + rest), done.stderr
    elif handler == "ignored":
        assert (done.returncode, done.stdout) == (0, "interrupted False\n" + rest), done.stderr
    elif number == signal.SIGINT:
        assert (done.returncode, done.stdout) == (0, "KeyboardInterrupt\n" + rest), done.stderr
    else:
        assert (done.returncode, done.stdout) == (-number, ""), done.stderr
    elman.load("r/model.safetensors")
    assert sorted(os.listdir("r")) == ["checkpoint.safetensors", "log.jsonl", "model.safetensors"]


def test_trainings_claim_their_folders(folder, command):
    for _ in range(3):
        command("train", "traveller", *SMALL)
    assert sorted(os.listdir("runs")) == ["traveller", "traveller-2", "traveller-3"]


@pytest.mark.slow
def test_a_full_standard_output_ends_with_one_line(folder, command):
    command("train", "traveller", *SMALL, "--output", "r")
    for arguments in (["generate", "r", "a"], ["info", "r"], ["score", "r", "r/log.jsonl", "--lines"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [sys.executable, "-m", "elman.cli", *arguments], stdout=full, stderr=subprocess.PIPE, timeout=PATIENCE
            )
        assert done.returncode == 2, arguments
        assert done.stderr == b"elman: standard output: No space left on device\n"


@pytest.mark.parametrize("lr", ["1e38", "1e45"])
@pytest.mark.parametrize("samples", ["0", "1"])
def test_a_last_step_that_ruins_the_model_keeps_the_one_before(folder, command, monkeypatch, capsys, lr, samples):
    Path("t.txt").write_text(lines()[:400])
    sizes = "--hidden-size 8 --batch-size 2 --seq-length 90 --epochs 1"
    arguments = ["train", "t.txt", *sizes.split(), "--output", "r"]
    command(*arguments, "--sample-every", "0")
    before = {name: Path("r", name).read_bytes() for name in ("model.safetensors", "log.jsonl")}
    ruinous = ["--lr", lr, "--clip", "0", "--overwrite", "--sample-every", samples]
    assert "training diverged in the last step of epoch 1" in refused(monkeypatch, capsys, *arguments, *ruinous)
    assert {name: Path("r", name).read_bytes() for name in before} == before
    names = ["best.safetensors", "checkpoint.safetensors", "curve.svg", "log.jsonl", "model.safetensors"]
    assert sorted(os.listdir("r")) == names


def test_weights_that_are_not_finite_are_neither_saved_nor_loaded(tmp_path, monkeypatch):
    model = elman.build_model(elman.Corpus("t", "abcabc", "none", "here"), hidden_size=4)
    model.output.bias[1] = np.inf
    with pytest.raises(elman.InputError, match=r"output\.bias is not all finite numbers"):
        elman.save(model, tmp_path / "m")
    assert not (tmp_path / "m").exists()
    with monkeypatch.context() as patch:
        patch.setattr(np, "isfinite", lambda x: np.ones(np.shape(x), dtype=bool))
        elman.save(model, tmp_path / "m")
    with pytest.raises(elman.ModelFileError, match="its weights are not all numbers"):
        elman.load(tmp_path / "m")


def test_an_infinite_perplexity_ends_with_status_2_and_a_log_of_json(folder, monkeypatch, capsys):
    real = loop.measure

    def huge(model, data, recipe, epoch, means, *rest):
        means.nats = 800.0 * means.count
        return real(model, data, recipe, epoch, means, *rest)

    monkeypatch.setattr(loop, "measure", huge)
    assert "perplexity is infinite after epoch 1" in refused(
        monkeypatch, capsys, "train", "traveller", *SMALL, "--output", "r"
    )
    (line,) = Path("r/log.jsonl").read_text().splitlines()
    record = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert record["train_perplexity"] is None
    assert record["train_bits_per_char"] == pytest.approx(800 / np.log(2))


@pytest.mark.skipif(not kernels.has_native(), reason="the variables are the native kernel's")
@pytest.mark.parametrize("name", ["ELMAN_ISA", "ELMAN_INTEGER_ISA", "ELMAN_THREADS", "ELMAN_BACKEND"])
def test_a_variable_that_this_machine_cannot_follow_is_one_line(name):
    done = run("info", "english", env=os.environ | {name: "abacus"}, fresh=True)
    assert done.returncode == 2
    assert name in done.stderr
    assert "'abacus'" in done.stderr
    assert done.stderr.count("\n") == 1
