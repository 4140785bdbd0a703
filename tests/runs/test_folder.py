"""RunFolder: it names what a training writes, and nothing else in the package spells these names."""

from __future__ import annotations

import ast
from pathlib import Path

import elman
from elman.runs import RunFolder

PACKAGE = Path(elman.__file__).parent
NAMED = {"model/container.py", "runs/folder.py"}
"""`load` takes a run's folder, so the names of its two models are below the rooms of training."""
SMALL = "--epochs 2 --hidden-size 8 --batch-size 4 --seq-length 16 --sample-every 0 --max-chars 900 --val-fraction 0.2"


def test_a_training_writes_what_it_names(tmp_path, command):
    folder = RunFolder(tmp_path / "run")
    assert (folder.holds_run(), folder.is_trained_in(), folder.latest_checkpoint()) == (False, False, None)
    command("train", *SMALL.split(), "--output", folder.path, "--tensorboard")
    there = {path for path in folder.path.rglob("*") if path.is_file()}
    assert there == {*folder.written, folder.events} - {folder.new_checkpoint, folder.new_log}
    assert (folder.holds_run(), folder.is_trained_in(), folder.latest_checkpoint()) == (True, True, folder.checkpoint)
    folder.new_checkpoint.touch()
    assert folder.latest_checkpoint() == folder.new_checkpoint


def test_no_other_file_spells_a_name():
    folder = RunFolder(Path("run"))
    names = {file.name for file in (*folder.written, folder.events)}
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).as_posix() in NAMED:
            continue
        constants = [
            node.value for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Constant)
        ]
        assert not names & {value for value in constants if isinstance(value, str)}, path
