"""Models that read, models that are quantised, and the functions have their golden digests (elman.golden)."""

from __future__ import annotations

from elman import golden, kernels
from elman.golden import integers


def test_nothing_moved():
    assert dict(integers.results()) == golden.expected("integers")


def test_without_the_native_kernels():
    with kernels.use("reference"):
        test_nothing_moved()


def test_on_every_instruction_set(integer_isa):
    test_nothing_moved()
