"""exp, log, tanh and sigmoid against float64: the error in units of the last place, special values, bounds.

`python tests/kernels/test_cpu_math.py` measures all 2^32 floats, in about a quarter of an hour.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

import cases
import numpy as np
import pytest
from cases import Array

inf, nan = math.inf, math.nan


def sigmoid(x: Array) -> Array:
    e = np.exp(-abs(x))
    return np.where(x < 0, e, 1.0) / (1.0 + e)


FUNCTIONS: dict[str, Callable[[Array], Array]] = {"exp": np.exp, "log": np.log, "tanh": np.tanh, "sigmoid": sigmoid}
# Over all 2^32 floats the largest are 1.0103, 0.8433, 2.4984 and 2.4019.
LIMITS = {"exp": 1.05, "log": 0.85, "tanh": 2.6, "sigmoid": 2.5}


def floats(bits: Array) -> Array:
    return bits.astype(np.uint32).view(np.float32)


def ulps(name: str, bits: Array) -> Array:
    """float64: the error of the function of the floats of these bits; nan where neither it nor float64 has a number.

    A result beyond the largest float counts as 2^128, which is what would come next.
    """
    x = floats(bits)
    got = cases.math(name, x).astype(np.float64)
    with np.errstate(all="ignore"):
        want = FUNCTIONS[name](x.astype(np.float64))
    assert np.array_equal(np.isnan(got), np.isnan(want))
    got, want = (np.clip(t, -(2.0**128), 2.0**128) for t in (got, want))
    exponent = np.frexp(want)[1].clip(-125, 128)  # 0.5 <= mantissa < 1; denormals have the last place of 2^-126
    return np.ldexp(abs(got - want), 24 - exponent)


def dense(step: int, start: int = 0) -> Array:
    """int64: every `step`th of all bit patterns."""
    return np.arange(start, 2**32, step)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_error(name):
    worst = float(np.nan_to_num(ulps(name, dense(4099)), nan=0.0).max())
    assert worst <= LIMITS[name]
    assert worst > 0.5  # or the comparison compares nothing


@pytest.mark.parametrize(
    ("name", "x", "y"),
    [
        ("exp", [0.0, -0.0, inf, -inf, 1e-45, 88.7228, -104.0, -103.9, 1000.0, -1000.0],
         [1.0, 1.0, inf, 0.0, 1.0, None, 0.0, 1e-45, inf, 0.0]),
        ("log", [1.0, 0.0, -0.0, inf, -1.0, -inf, -1e-45, 1e-45], [0.0, -inf, -inf, inf, nan, nan, nan, -103.27893]),
        ("tanh", [0.0, -0.0, inf, -inf, 1e-45, -1e-45, 1e-39, 100.0, -100.0, 9.1],
         [0.0, -0.0, 1.0, -1.0, 1e-45, -1e-45, 1e-39, 1.0, -1.0, 1.0]),
        ("sigmoid", [0.0, -0.0, inf, -inf, 1e-45, 100.0, -100.0, -104.5], [0.5, 0.5, 1.0, 0.0, 0.5, 1.0, 3.8e-44, 0.0]),
    ],
)  # fmt: skip
def test_special_values(name, x, y):
    got = cases.math(name, np.array(x, dtype=np.float32))
    for a, value, expected in zip(x, got, y, strict=True):
        if expected is not None:
            same = value.tobytes() == np.float32(expected).tobytes() or (np.isnan(value) and math.isnan(expected))
            assert same, f"{name}({a}) is {value}, not {expected}"
        else:
            assert np.isfinite(value)


@pytest.mark.parametrize("isa", cases.ISAS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_nan_stays_nan(name, isa):
    cases.use_isa(isa)
    assert np.isnan(cases.math(name, floats(np.array([0x7FC00000, 0x7F800001, 0xFFFFFFFF, 0x7FFFFFFF])))).all()


def test_bounds_and_symmetry():
    x = floats(dense(4099))
    x = np.sort(x[~np.isnan(x)])
    exp, tanh, sigmoid = (cases.math(name, x) for name in ("exp", "tanh", "sigmoid"))
    assert exp.min() == 0
    assert abs(tanh).max() == 1
    assert sigmoid.min() == 0
    assert sigmoid.max() == 1
    cases.same_bits([cases.math("tanh", -x)], [-tanh])
    # Neighbours of this sample lie far enough apart that rounding cannot turn them round.
    for f, y in (("exp", exp), ("tanh", tanh), ("sigmoid", sigmoid), ("log", cases.math("log", x[x > 0]))):
        assert (y[1:] >= y[:-1]).all(), f"{f} falls"


def _all_floats() -> None:
    for name in FUNCTIONS:
        worst, at = 0.0, 0
        for start in range(0, 2**32, 2**22):
            bits = np.arange(start, start + 2**22)
            if name == "log" and start >= 2**31:
                break
            error = np.nan_to_num(ulps(name, bits), nan=0.0)
            if float(error.max()) > worst:
                worst, at = float(error.max()), start + int(error.argmax())
        value = float(floats(np.array([at]))[0])
        print(f"{name}: {worst:.4f} ulp at {value!r} (bits {at:#010x})", flush=True)


if __name__ == "__main__":
    sys.exit(_all_floats())
