"""Going on: a training that is killed, stopped or refused loses nothing, and ends with the bits of one that was not."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import PATIENCE, run

import elman
from elman.model import container
from elman.runs import read_checkpoint, saver
from elman.runs.lock import locked

pytestmark = pytest.mark.usefixtures("default_signals")

LINES = "".join(f"{i} {'abc' * (i % 7)} the traveller, {i * i}\n" for i in range(150))
SIZES = "--epochs 4 --hidden-size 12 --batch-size 4 --seq-length 11 --sample-every 2 --length 5 --init-std 0"
KINDS = {
    "sgd": "--cell rnn_relu --optimizer sgd --lr 0.5 --val-fraction 0.1",
    "adam": "--cell gru --num-layers 2 --dropout 0.3 --optimizer adam --lr 0.01 --schedule cosine --warmup 9 "
    "--val-fraction 0.45 --val-blocks 2",
    "muon": "--cell gru --optimizer muon --lr 0.01 --schedule linear --average 0.9 --output-dropout 0.2 "
    "--embedding-size 5",
    "subwords": "--tokens bpe:258 --cell gru --optimizer muon --lr 0.04 --schedule linear --average 0.9 "
    "--output-dropout 0.5 --weight-decay 0.1 --val-fraction 0.55 --val-blocks 2",
    "adamw": "--cell lstm --records --optimizer adamw --lr 0.01 --schedule plateau --val-fraction 0.1 --patience 3",
}
# Dies by SIGKILL at its n-th step, or its n-th call of what makes a file lasting.
DRIVER = """
import os, signal, sys
from elman.cli import main
from elman.training import loop

left = int(sys.argv.pop(1))
def dies(call):
    def counted(*arguments, **named):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **named)
    return counted
for name in ("open", "fsync", "replace"):
    setattr(os, name, dies(getattr(os, name)))
loop.learning_rate = dies(loop.learning_rate)
sys.argv = ["elman", *sys.argv[1:]]
main()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("t.txt").write_text(LINES)
    return tmp_path


def without_times(run):
    lines = [json.loads(line) for line in Path(run, "log.jsonl").read_text().splitlines()]
    for line in lines:
        del line["seconds"], line["chars_per_second"]
    return lines


def same_run(a, b):
    assert without_times(a) == without_times(b)
    assert {p.name for p in Path(a).iterdir()} - {"curve.svg"} == {p.name for p in Path(b).iterdir()} - {"curve.svg"}
    for name in ("model.safetensors", "best.safetensors"):
        if Path(b, name).exists():
            assert Path(a, name).read_bytes() == Path(b, name).read_bytes(), name
    one, other = read_checkpoint(a), read_checkpoint(b)
    assert (one.epoch, one.steps, one.masked) == (other.epoch, other.steps, other.masked)
    for name, array in one.tensors.items():
        np.testing.assert_array_equal(array, other.tensors[name], strict=True)


def driven(count, *arguments):
    command = [sys.executable, "-c", DRIVER, str(count), "train", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_any_moment_and_resumed(folder, command, kind):
    settings = [*SIZES.split(), *KINDS[kind].split()]
    command("train", "t.txt", *settings, "--output", "whole")
    draw = random.Random(kind)
    assert driven(draw.randrange(20, 200), "t.txt", *settings, "--output", "r", "--save-every", 0)
    for reach in (30, 300, 300, 1000):
        driven(draw.randrange(1, reach), "--resume", "r", "--save-every", draw.choice([0, 0.01]))
    command("train", "--resume", "r")
    same_run("r", "whole")
    held_out = {line.get("val_blocks") for line in without_times("r")}
    assert held_out == {None if kind == "adamw" else 2 if "--val-blocks 2" in KINDS[kind] else 1}  # adamw's are records


@pytest.mark.slow
def test_killed_by_the_clock_and_resumed(folder, command):
    settings = [*SIZES.split(), *KINDS["adam"].split(), "--epochs", "40"]
    command("train", "t.txt", *settings, "--output", "whole")
    arguments, draw = ["t.txt", *settings, "--output", "r"], random.Random(3)
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-m", "elman.cli", "train", *arguments, "--save-every", "0.02"], stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + PATIENCE
        while not Path("r/log.jsonl").exists() and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(draw.uniform(0, 0.5))
        child.kill()
        child.wait()
        arguments = ["--resume", "r"]
    command("train", "--resume", "r")
    same_run("r", "whole")


@pytest.fixture
def ctrl_c_returns():
    """A handler of our own, after which `fit` returns."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
def test_interrupted_at_every_step_of_an_epoch(folder, command, ctrl_c_returns):
    """As Ctrl-C does; among them the last step of an epoch, and of the last one."""
    settings = [*SIZES.split(), *KINDS["sgd"].split(), "--schedule", "constant"]
    command("train", "t.txt", *settings, "--output", "whole")
    recipe = read_checkpoint("whole").run.recipe
    corpus = elman.load_corpus("t.txt", normalisation=recipe.normalisation)
    training = elman.fit(elman.build_model(corpus, recipe), corpus, recipe, output="r", on_step=_stop)
    stops = 0
    while training.interrupted:
        training, stops = elman.resume("r", on_step=_stop), stops + 1
    assert stops > 4 * 20
    same_run("r", "whole")


def _stop(step):
    os.kill(os.getpid(), signal.SIGINT)


def test_more_epochs_go_on_from_the_last(folder, command):
    settings = [*SIZES.split(), *KINDS["sgd"].split(), "--schedule", "constant"]
    command("train", "t.txt", *settings, "--output", "r", "--epochs", 2)
    command("train", "--resume", "r", "--epochs", 4)
    command("train", "t.txt", *settings, "--output", "whole")
    assert elman.load("r/model.safetensors").digest() == elman.load("whole/model.safetensors").digest()
    assert [line["epoch"] for line in without_times("r")] == [1, 2, 3, 4]


def test_a_finished_run_says_what_to_do(folder, command):
    settings = [*SIZES.split(), "--optimizer", "adam", "--lr", "0.01", "--schedule", "linear"]
    command("train", "t.txt", *settings, "--output", "r", "--epochs", 3)
    before = Path("r/model.safetensors").read_bytes()
    done = "all 3 epochs of this run are done"
    assert f"nothing to do: {done}; --epochs 4 or more, or --minutes" in command("train", "--resume", "r")
    assert Path("r/model.safetensors").read_bytes() == before
    assert (
        refused("--resume", "r", "--epochs", 2)
        == "--epochs is 2, and 3 are done already; give 4 or more to train further"
    )
    shown = command("train", "--resume", "r", "--epochs", 6)
    assert "going on after 3 of 6 epochs" in shown
    assert "the linear schedule is spread over the new length: the learning rate was " in shown
    assert (
        "begins again at about 0.005; where a run is to be trained further, start it with --schedule plateau" in shown
    )
    assert "nothing to do" not in shown


def refused(*arguments):
    done = run("train", *arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    return line.removeprefix("elman: ")


def test_what_is_refused(folder, command):
    settings = [*SIZES.split(), *KINDS["sgd"].split(), "--epochs", "1"]
    command("train", "t.txt", *settings, "--output", "r")
    assert refused("t.txt", "--output", "r").endswith("--overwrite, or --resume r")
    assert refused("--resume", "nowhere").startswith("nowhere: no checkpoint here")
    assert "leave out --lr" in refused("--resume", "r", "--lr", "2")
    assert "leave out --output" in refused("--resume", "r", "--output", "x")
    with locked(Path("r")):
        assert "another training is writing here" in refused("--resume", "r")
        assert "another training is writing here" in refused("t.txt", *settings, "--output", "r", "--overwrite")
    Path("t.txt").write_text(LINES + "more\n")
    assert "not the text that this run trains on" in refused("--resume", "r")
    Path("t.txt").unlink()
    assert "no such file" in refused("--resume", "r")
    Path("moved.txt").write_text(LINES)
    command("train", "moved.txt", "--resume", "r")
    data = Path("r/checkpoint.safetensors").read_bytes()
    Path("r/checkpoint.safetensors").write_bytes(data[: len(data) // 2])
    assert "truncated" in refused("--resume", "r")
    Path("r/checkpoint.safetensors").write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
    assert "damaged" in refused("--resume", "r")
    Path("r/checkpoint.safetensors").write_bytes(Path("r/model.safetensors").read_bytes())
    assert "not a checkpoint saved by Elman" in refused("--resume", "r")


def test_a_checkpoint_is_no_model(folder, command):
    command("train", "t.txt", *SIZES.split(), "--epochs", 1, "--output", "r")
    with pytest.raises(elman.ModelFileError, match="not a model saved by Elman"):
        elman.load("r/checkpoint.safetensors")


def test_a_full_disk_leaves_the_last_checkpoint(folder, command, monkeypatch):
    settings = [*SIZES.split(), *KINDS["sgd"].split(), "--schedule", "constant"]
    command("train", "t.txt", *settings, "--output", "whole")
    recipe = read_checkpoint("whole").run.recipe
    corpus = elman.load_corpus("t.txt", normalisation=recipe.normalisation)
    real, left = os.fsync, 40

    def full(handle):
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            elman.fit(elman.build_model(corpus, recipe), corpus, recipe, output="r", save_seconds=0)
    assert read_checkpoint("r").steps > 0
    elman.resume("r")
    same_run("r", "whole")


def test_best_and_patience(folder, command):
    shown = command(
        "train", "t.txt", *SIZES.split(), "--epochs", 30, "--optimizer", "adam", "--lr", "0.3", "--val-fraction", "0.2",
        "--patience", 2, "--output", "r",
    )  # fmt: skip
    costs = [line["val_bits_per_char"] for line in without_times("r")]
    lowest = int(np.argmin(costs))
    assert len(costs) == lowest + 3 < 30
    assert f"ended after {len(costs)} of 30 epochs: the held-out text gets no better" in shown
    assert f"best at epoch {lowest + 1}: " in shown
    corpus = elman.load_corpus("t.txt", normalisation="none")
    held_out = corpus.text[len(corpus.text) - int(len(corpus.text) * 0.2) :]
    best = elman.load("r")
    assert best.digest() == elman.load("r/best.safetensors").digest() != elman.load("r/model.safetensors").digest()
    assert elman.score(best, held_out).bits_per_char == pytest.approx(costs[lowest], rel=1e-12)
    told = f"nothing to do: its patience of 2 ended this run after {len(costs)} epochs; --patience 3 or more, or 0"
    assert told in command("train", "--resume", "r")
    assert len(without_times("r")) == len(costs)
    assert "so it does not train further; --patience 3 or more" in refused("--resume", "r", "--epochs", 40)
    assert "so it does not train further; --patience 3 or more" in refused("--resume", "r", "--minutes", 1)
    command("train", "--resume", "r", "--epochs", len(costs) + 1, "--patience", 0)
    assert len(without_times("r")) == len(costs) + 1
    assert read_checkpoint("r").run.recipe.patience is None
    command("train", "t.txt", *SIZES.split(), "--epochs", 1, "--val-fraction", 0, "--overwrite", "--output", "r")
    assert not Path("r/best.safetensors").exists()
    with pytest.raises(elman.InputError, match="patience needs a text to measure on; set val_fraction"):
        elman.Recipe(patience=2)


def test_from_a_model_on_another_text(folder, command):
    command("train", "t.txt", *SIZES.split(), "--cell", "gru", "--output", "r")
    Path("u.txt").write_text("the travéller #\n" * 40)
    shown = command("train", "u.txt", "--from", "r", "--epochs", 1, "--lr", "1e-9", "--output", "s", "--seq-length", 9)
    assert "2 new characters: '#é'" in shown
    old, new = elman.load("r/model.safetensors"), elman.load("s/model.safetensors")
    assert new.cell == "gru"
    assert new.reading.vocabulary.symbols == (*old.reading.vocabulary.symbols, "#", "é")
    ids = old.reading.vocabulary.encode("the traveller")[:, None]
    np.testing.assert_allclose(new(ids)[0][..., : len(old.reading)], old(ids)[0], atol=1e-4)
    command("train", "--resume", "s", "--epochs", 2)
    assert "leave out --hidden-size" in refused("u.txt", "--from", "r", "--hidden-size", 99)
    assert "leave out --embedding-size" in refused("u.txt", "--from", "r", "--embedding-size", 9)


def test_from_a_model_with_an_embedding(folder, command):
    command("train", "t.txt", *SIZES.split(), "--embedding-size", 5, "--output", "r")
    Path("u.txt").write_text("the travéller #\n" * 40)
    command("train", "u.txt", "--from", "r", "--epochs", 1, "--lr", "1e-9", "--output", "s", "--seq-length", 9)
    old, new = elman.load("r/model.safetensors"), elman.load("s/model.safetensors")
    assert isinstance(new, elman.LanguageModel)
    assert new.embedding_size == 5
    ids = old.reading.vocabulary.encode("the traveller")[:, None]
    np.testing.assert_allclose(new(ids)[0][..., : len(old.reading)], old(ids)[0], atol=1e-4)


def test_the_saver_waits_for_its_time(folder, monkeypatch):
    saves = []
    monkeypatch.setattr(saver, "save", lambda *_: saves.append(1))
    corpus = elman.Corpus("t", LINES, "none", "here")
    recipe = elman.Recipe(hidden_size=8, batch_size=4, seq_length=11, epochs=3, prompts=())
    elman.fit(elman.build_model(corpus, recipe), corpus, recipe, output="r", save_seconds=1e9)
    assert len(saves) == 1  # at the end
    with pytest.raises(elman.InputError, match="was not loaded from a file; give it"):
        elman.resume("r")
    elman.resume("r", corpus)


def test_a_strangers_checkpoint_names_no_text_that_is_read(folder, command, monkeypatch):
    """As one that was unpacked from an archive: it was signed with another key, or with none."""
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    key = folder / "state" / "elman" / "key"
    command("train", "t.txt", *SIZES.split(), "--epochs", 1, "--output", "r")
    assert key.stat().st_mode & 0o777 == 0o600
    command("train", "--resume", "r", "--epochs", 2)  # one's own is not asked about
    key.unlink()
    foreign = f"r was not made by you here, and says that it trains on {folder / 't.txt'}; name it: elman train TEXT"
    assert refused("--resume", "r", "--epochs", 3).startswith(foreign)
    command("train", "t.txt", "--resume", "r", "--epochs", 3)
    command("train", "--resume", "r", "--epochs", 4)  # it has been taken over
    assert read_checkpoint("r").ours
    header, tensors = container.read("r/checkpoint.safetensors", container.CHECKPOINT)
    header["loaded"]["name_or_path"] = "/etc/hostname"
    Path("r/checkpoint.safetensors").write_bytes(container.to_bytes(header, tensors, container.CHECKPOINT))
    assert "says that it trains on /etc/hostname" in refused("--resume", "r", "--epochs", 5)
    header["loaded"]["name_or_path"] = "traveller"
    Path("r/checkpoint.safetensors").write_bytes(container.to_bytes(header, tensors, container.CHECKPOINT))
    assert "not the text that this run trains on" in refused("--resume", "r", "--epochs", 5)  # it was read


def test_where_no_key_can_be_kept_the_text_is_named(folder, command, monkeypatch):
    Path("state").write_text("a file")
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    command("train", "t.txt", *SIZES.split(), "--epochs", 1, "--output", "r")
    assert "was not made by you here" in refused("--resume", "r", "--epochs", 2)
    command("train", "t.txt", "--resume", "r", "--epochs", 2)
