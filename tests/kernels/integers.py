"""What the tests of the integer kernels share: the golden models (elman.golden), and comparing bits."""

from __future__ import annotations

import numpy as np

from elman.golden.integers import CELLS, any_state, extreme, floats, text, uniform, whole

__all__ = ["CELLS", "any_state", "extreme", "floats", "same", "text", "uniform", "whole"]


def same(a, b) -> None:
    """To the bit, -0.0 and 0.0 apart."""
    for x, y in zip(a, b, strict=True):
        if x is None and y is None:
            continue
        assert x is not None
        assert y is not None
        assert x.shape == y.shape
        assert x.dtype == y.dtype
        different = (np.ascontiguousarray(x).view(np.uint8) != np.ascontiguousarray(y).view(np.uint8)).sum()
        assert not different, f"{different} of {x.nbytes} bytes differ"
