"""What the tests of the float kernel share: the golden operations (elman.golden), and comparing bits."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

pytest.importorskip("elman.kernels._cpu", reason="the native kernel is not built")
from elman.golden.floats import (
    CELLS,
    ISAS,
    OPERATIONS,
    RECIPES,
    adamw,
    arrays,
    backward,
    forward,
    math,
    muon,
    philox,
    run_layer,
    run_linear,
    run_loss,
    text,
    train,
    unset,
)
from elman.golden.inputs import Array, digest, integers, layer_inputs, loss_inputs, numbers
from elman.kernels import _cpu

__all__ = [
    "CELLS", "ISAS", "OPERATIONS", "RECIPES", "Array", "adamw", "arrays", "backward", "digest", "forward", "integers",
    "layer_inputs", "loss_inputs", "math", "muon", "numbers", "philox", "run_layer", "run_linear", "run_loss",
    "same_bits", "text", "train", "unset", "use_isa",
]  # fmt: skip


def use_isa(name: str) -> None:
    """Compute with this instruction set, or skip the test."""
    try:
        _cpu.set_isa(name)
    except RuntimeError as error:
        pytest.skip(str(error))


def same_bits(a: Iterable[Array], b: Iterable[Array]) -> None:
    for i, (x, y) in enumerate(zip(a, b, strict=True)):
        assert (x.shape, x.dtype) == (y.shape, y.dtype)
        bits = (np.ascontiguousarray(part).view(f"u{x.itemsize}") for part in (x, y))
        different = int(np.not_equal(*bits).sum())
        assert not different, f"array {i}: {different} of {x.size} elements differ"
