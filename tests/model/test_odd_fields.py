"""Whole files whose fields are not what Elman writes: one line for each, and one bad run does not hide the others."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from command_line import run

import elman
from elman.model import container
from elman.runs import read_checkpoint
from elman.runs.summary import read_run
from elman.training import resume
from elman.typed import Fields, shown

SMALL = "--epochs 1 --hidden-size 8 --batch-size 4 --seq-length 16 --sample-every 0 --max-chars 900".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    (folder / "t.txt").write_text("one two three, four five six.\n" * 60)
    done = run("train", "t.txt", *SMALL, "--val-fraction", "0.1", "--output", "runs/good", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def folder(made, monkeypatch, tmp_path):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def one_line(done, status=2):
    assert done.returncode == status, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("elman: ")
    return line


def refusal(call) -> str | None:
    """The line with which it refuses; None: it does not. Any other exception is a fault."""
    try:
        call()
    except elman.InputError as error:
        return str(error)
    return None


@pytest.mark.parametrize("odd", ["x", 5, [], [["corpus", 1]], True])
def test_a_model_whose_run_is_no_object(folder, odd):
    header, tensors = container.read("runs/good/model.safetensors")
    Path("m").write_bytes(container.to_bytes(header | {"run": odd}, tensors))
    for command in (["info", "m"], ["inspect", "m", "t.txt"], ["generate", "m"]):
        assert f"its field run is {shown(odd)}; expected an object" in one_line(run(*command))


@pytest.mark.parametrize("change", [{}, {"run": None}])
def test_a_model_without_a_run(folder, change):
    header, tensors = container.read("runs/good/model.safetensors")
    del header["run"]
    Path("m").write_bytes(container.to_bytes(header | change, tensors))
    assert run("info", "m").returncode == 0
    assert "trained on a text that its file does not name" in one_line(run("inspect", "m", "t.txt"))


ODD = [None, True, 1.5, -1, "x", "", [], [[]], [1], {}, {"a": 1}, 10**400, float("nan"), float("inf")]
FIELDS = ["epoch", "steps", "masked", "seconds", "log", "means", "loaded", "recipe", "corpus", "run"]


@pytest.mark.parametrize("name", FIELDS)
def test_a_checkpoint_with_one_field_of_another_type(folder, name):
    """Refused in one line, or, where the odd value means something, gone on with."""
    header, tensors = container.read("runs/good/checkpoint.safetensors", container.CHECKPOINT)
    changes = [{name: odd} for odd in ODD]
    if isinstance(header.get(name), dict):
        changes += [{name: header[name] | {inner: odd}} for inner in header[name] for odd in ODD]
    if name == "log":
        changes += [{name: [header[name][0] | {inner: odd}]} for inner in header[name][0] for odd in ODD]
    Path("x").mkdir()
    for change in changes:
        Path("x/checkpoint.safetensors").write_bytes(container.to_bytes(header | change, tensors, container.CHECKPOINT))
        for read in (lambda: read_run(Path("x")), lambda: resume(read_checkpoint("x"))):
            assert "\n" not in (refusal(read) or ""), change
    without = {key: value for key, value in header.items() if key != "epoch"}
    Path("x/checkpoint.safetensors").write_bytes(container.to_bytes(without, tensors, container.CHECKPOINT))
    assert "its header has no field epoch" in (refusal(lambda: read_checkpoint("x")) or "")


def test_a_checkpoint_whose_tensors_do_not_fit(folder):
    run("train", "t.txt", *SMALL, "--optimizer", "adam", "--cell", "lstm", "--output", "r")
    header, tensors = container.read("r/checkpoint.safetensors", container.CHECKPOINT)
    header["recipe"]["epochs"] = 2
    header |= {"means": header["means"] | {"steps": 3, "count": 3 * 4 * 16, "nats": 1.0, "seconds": 1.0}}
    name = "training.state.0"
    state = tensors[name]
    odd = [state[0], state[:, :, :-1], state[:, :2], np.concatenate([state, state], 1), state.astype(np.float64)]
    for part in [*odd, np.full_like(state, np.nan)]:
        changed = tensors | {name: np.ascontiguousarray(part)}
        Path("r/checkpoint.safetensors").write_bytes(container.to_bytes(header, changed, container.CHECKPOINT))
        with pytest.raises(elman.ModelFileError, match=r"does not fit its recipe: the carried state is float\d+ \("):
            resume(read_checkpoint("r"))


def test_a_hostile_log_is_one_line_and_the_other_runs_are_shown(folder):
    shutil.copytree("runs/good", "runs/bad")
    row = json.loads(Path("runs/good/log.jsonl").read_text())
    lines = ["[" * 200_000, "null", "[]", '"x"', "1e999", json.dumps(row).replace('"seconds": ', '"seconds": 1e99')]
    for name in row:
        kept = {None} if name in ("lr", "samples", "train_perplexity") or name.startswith("val_") else set()
        kept |= {1.5} if isinstance(row[name], float) else set()
        for odd in ODD:
            if not (isinstance(odd, (float, type(None))) and odd in kept) and odd not in ([], [1], {}):
                lines.append(json.dumps(row | {name: odd}))
    for line in lines:
        Path("runs/bad/log.jsonl").write_text(line + "\n")
        refused = refusal(lambda: read_run(Path("runs/bad"))) or ""
        assert refused.startswith("runs/bad/log.jsonl: not a log of Elman's: "), line
        assert "\n" not in refused
    Path("runs/bad/log.jsonl").write_text(lines[0] + "\n")
    listed = run("runs", "runs")
    assert "runs/bad/log.jsonl: not a log of Elman's" in one_line(listed, 1)
    assert "good" in listed.stdout
    drawn = run("plot", "runs/good", "runs/bad", "--output", "x.svg")
    assert "runs/bad/log.jsonl: not a log of Elman's" in one_line(drawn, 1)
    assert "runs/good" in Path("x.svg").read_text()
    assert "runs/bad" not in Path("x.svg").read_text()


def test_a_field_is_refused_by_its_name():
    fields = Fields({"a": 1.5, "n": None, "big": 2**70}, "here")
    for read, expected in (
        (lambda: fields.text("a"), "here: a is 1.5; expected a text"),
        (lambda: fields.whole("a"), "here: a is 1.5; expected a whole number of at least 0"),
        (lambda: fields.number("big"), "here: big is a number of many digits; expected a finite number of at least 0"),
        (lambda: fields.flag("missing"), "here has no field missing"),
        (lambda: fields.number("n"), "here: n is None; expected a finite number of at least 0"),
        (lambda: Fields([1], "here"), "here is a list; expected an object"),
    ):
        with pytest.raises(elman.InputError) as error:
            read()
        assert str(error.value) == expected
    assert fields.number("n", 3.0) == 3.0
