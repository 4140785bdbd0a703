"""_cpu.pyi is what the module says of itself. `python tests/kernels/test_stub.py` writes it."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

import elman

STUB = Path(elman.__file__).parent / "kernels" / "_cpu.pyi"


def generated() -> str:
    stubgen = pytest.importorskip("nanobind.stubgen", reason="nanobind is not installed")
    generator = stubgen.StubGen(importlib.import_module("elman.kernels._cpu"))
    generator.put(importlib.import_module("elman.kernels._cpu"))
    # An argument that may be None says so itself, and nanobind says it again.
    return "# Made by tests/kernels/test_stub.py.\n" + generator.get().replace(" | None | None", " | None")


def test_the_stub_is_generated():
    assert STUB.read_text(encoding="utf-8") == generated()


if __name__ == "__main__":
    STUB.write_text(generated(), encoding="utf-8")
