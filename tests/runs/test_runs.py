"""`elman runs` and `elman plot`."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

import elman
from elman.runs.summary import find_runs, read_run

SMALL = "--epochs 2 --hidden-size 8 --batch-size 4 --seq-length 16 --sample-every 0 --max-chars 900".split()  # noqa: SIM905


@pytest.fixture
def folder(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    command("train", *SMALL, "--val-fraction", "0.2", "--output", "runs/a")
    command("train", *SMALL, "--clip", "0.5", "--output", "runs/b/$c$")
    return tmp_path


def test_a_table_of_runs(folder, command):
    head, a, b = (line.split() for line in command("runs").splitlines())
    assert head == ["run", "corpus", "model", "val_fraction", "clip", "epochs", "train", "held", "out", "best", "time"]
    assert a[:8] == ["a", "traveller", "rnn_relu", "1", "x", "8,", "sgd", "1"]
    assert a[8:11] == ["0.2", "1", "2/2"]
    assert b[0] == "b/$c$"
    last = read_run(Path("runs/a")).last
    assert last is not None
    assert f"{last['val_perplexity']:.3f}" in a
    found = json.loads(command("runs", "--json"))
    assert [run["run"] for run in found] == ["runs/a", "runs/b/$c$"]
    assert found[0]["best"]["epoch"] == 2
    assert found[1]["best"] is None


def test_a_picture_of_runs(folder, command):
    assert command("plot", "runs/a", "runs/b/$c$", "--output", "x.svg") == "x.svg\n"
    ElementTree.parse("x.svg")
    pytest.importorskip("matplotlib", reason="Matplotlib is not installed; pip install 'elman[plot]'")
    command("plot", "runs/a", "--time", "--output", "x.png")
    assert Path("x.png").read_bytes().startswith(b"\x89PNG")


def test_runs_that_are_not_whole(folder, command, capsys):
    Path("runs/b/$c$/model.safetensors").write_bytes(b"x")
    Path("runs/a/model.safetensors").unlink()
    with Path("runs/a/log.jsonl").open("a") as log:
        log.write('{"epoch": 3, "tr')  # half written
    found, broken = find_runs(Path("runs"))
    assert [len(run.log) for run in found] == [2]
    assert len(broken) == 1
    with pytest.raises(elman.InputError, match="no run here"):
        read_run(Path("runs/b"))
    with pytest.raises(elman.InputError, match="no such folder"):
        find_runs(Path("elsewhere"))
    Path("runs/a/log.jsonl").write_text("{}\n")
    with pytest.raises(elman.InputError, match="not a log of Elman's"):
        read_run(Path("runs/a"))


def test_runs_of_different_texts_are_apart_and_the_best_is_marked(folder, command):
    assert "*" not in command("runs")  # one run alone measured what is held out
    command("train", *SMALL, "--val-fraction", "0.2", "--lr", "0.01", "--output", "runs/c")
    Path("t.txt").write_text("another text altogether\n" * 60)
    command("train", "t.txt", *SMALL, "--val-fraction", "0.2", "--output", "runs/d")
    lines = command("runs").splitlines()
    headings = [line.strip() for line in lines if line.strip().endswith("characters")]
    assert headings == ["traveller, 900 characters", "t.txt, 900 characters"]
    assert lines[-1].strip() == "Perplexities compare within one text and its tokens only."
    costs = {name: (read_run(Path("runs", name)).best or {})["val_bits_per_char"] for name in "ac"}
    assert [line.split()[0] for line in lines if " * " in line] == [min(costs, key=lambda name: costs[name])]
