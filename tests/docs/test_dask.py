"""The program of docs/how-to/dask.md that scores a folder with Dask: the bits of `elman score`, file by file."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import PATIENCE

import elman
from elman.model import save

DOCS = Path(__file__).parents[2] / "docs" / "how-to" / "dask.md"


@pytest.mark.slow
def test_the_bits_of_elman_score(command, tmp_path, monkeypatch):
    pytest.importorskip("dask.distributed", reason="dask is not installed; pip install 'elman[dask]'")
    monkeypatch.chdir(tmp_path)
    (program,) = (
        block for block in re.findall(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.S) if "dask" in block
    )
    Path("score_folder.py").write_text(program.replace("i + 16", "i + 3").replace("files), 16", "files), 3"))
    corpus = elman.Corpus("t", "the traveller came down to the sea. " * 30, "book", "here")
    save(elman.build_model(corpus, cell="gru", hidden_size=8), "m.safetensors")
    for number in range(7):
        path = Path("books", "more" if number % 2 else "", f"{number}.txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("The  sea,\n the traveller. " * (1 + 5 * number))
    env = os.environ | {"ELMAN_THREADS": "1"}
    arguments = [sys.executable, "score_folder.py", "m.safetensors", "books"]
    done = subprocess.run(arguments, env=env, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    told = [line.split(" ", 1) for line in done.stdout.splitlines()]
    assert len(told) == 7
    rows = command("score", "m.safetensors", *(file for _, file in told), "--json").splitlines()
    expected = [(repr(row["bits"]), row["file"]) for row in map(json.loads, rows) if row["file"] is not None]
    assert [tuple(pair) for pair in told] == expected
