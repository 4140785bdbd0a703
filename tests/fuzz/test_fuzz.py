"""A short, deterministic run of the fuzzers, and that they find what is wrong. `make fuzz MINUTES=60` runs long."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="bounds on memory are POSIX's")
pytest.importorskip("elman.kernels._cpu", reason="the native kernel is not built")
if not sys.platform.startswith("linux"):
    pytest.skip("reads /proc/self/statm", allow_module_level=True)
HERE = Path(__file__).parent
COUNTS = {
    "archive": 60,
    "store": 120,
    "message": 100,
    "model": 60,
    "checkpoint": 40,
    "log": 12,
    "tokenizer": 100,
    "cached": 60,
}


@pytest.fixture
def fuzz(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(HERE)
    module = importlib.import_module("fuzz")
    monkeypatch.setattr(module, "FINDINGS", tmp_path)
    return module


@pytest.mark.parametrize("kind", COUNTS)
def test_nothing_is_found(kind, fuzz):
    count, findings, results = fuzz.run(kind, 7, 0, COUNTS[kind])
    assert not findings
    assert count == sum(results.values()) == COUNTS[kind]
    assert set(results) <= {"read", "refused"}


def test_every_kind_is_run(fuzz):
    assert set(COUNTS) == set(importlib.import_module("kinds").KINDS)


FAULTY = """
import os
from dataclasses import dataclass
from typing import Any

def read(folder, data):
    if data == b"crash":
        os.abort()
    if data == b"work":
        while True:
            pass
    if data == b"memory":
        bytes(1 << 30)
    if data == b"raise":
        raise KeyError("where it happened")

def one_line(error):
    pass

@dataclass
class Kind:
    seeds: Any = lambda folder: [b"seed"]
    change: Any = lambda draw, data: ORDER.pop(0)
    read: Any = staticmethod(read)
    memory: int = 512 << 20
    seconds: float = 0.5

ORDER = {order}
KINDS = {{"faulty": Kind()}}
"""


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("crash", "ended it with -6"),
        ("work", "took too long"),
        ("memory", "raised MemoryError"),
        ("raise", "raised KeyError at kinds.py:15: 'where it happened'"),
    ],
)
def test_a_fault_is_found_and_kept(data, said, tmp_path):
    shutil.copy(HERE / "fuzz.py", tmp_path)
    (tmp_path / "kinds.py").write_text(FAULTY.format(order=[b"good", data.encode()]))
    code = "import fuzz; print(*fuzz.run('faulty', 1, 0, 2)[1], sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("faulty-1-1")
    assert said in lines[0]
    kept = sorted(path.name for path in (tmp_path / "build" / "fuzz").iterdir())
    assert kept[-1].endswith(".txt")
    assert kept[0].endswith(".bin" if data in ("crash", "work") else ".txt")
