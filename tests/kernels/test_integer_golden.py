"""Digests pinned in tests/golden/integer.json: of models that read, of quantising, and of the functions."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

from elman import kernels

GOLDEN = Path(__file__).parents[1] / "golden"


def test_nothing_moved():
    spec = importlib.util.spec_from_file_location("make_integer", GOLDEN / "make_integer.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.golden() == json.loads((GOLDEN / "integer.json").read_text())


def test_without_the_native_kernels():
    with kernels.use("reference"):
        test_nothing_moved()


def test_on_every_instruction_set(integer_isa):
    test_nothing_moved()
