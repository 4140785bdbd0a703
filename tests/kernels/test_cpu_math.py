"""exp, log, tanh and sigmoid against float64: the error in units of the last place, special values, bounds.

`python tests/kernels/test_cpu_math.py` measures all 2^32 floats, in about a quarter of an hour.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

import cases
import pytest
import torch
from torch import Tensor

inf, nan = math.inf, math.nan
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "exp": torch.exp,
    "log": torch.log,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}
# Over all 2^32 floats the largest are 1.0103, 0.8433, 2.4984 and 2.4019.
LIMITS = {"exp": 1.05, "log": 0.85, "tanh": 2.6, "sigmoid": 2.5}


def ulps(name: str, bits: Tensor) -> Tensor:
    """float64: the error of the function of the floats of these bits; nan where neither it nor float64 has a number.

    A result beyond the largest float counts as 2^128, which is what would come next.
    """
    x = bits.to(torch.int32).view(torch.float32)
    got = cases.math(list(FUNCTIONS).index(name), x).double()
    want = FUNCTIONS[name](x.double())
    assert torch.equal(got.isnan(), want.isnan())
    got, want = (t.clamp(-(2.0**128), 2.0**128) for t in (got, want))
    exponent = torch.frexp(want)[1].clamp(-125, 128)  # 0.5 <= mantissa < 1; denormals have the last place of 2^-126
    return torch.ldexp((got - want).abs(), 24 - exponent)


def dense(step: int, start: int = 0) -> Tensor:
    """int64: every `step`th of all bit patterns."""
    return torch.arange(start, 2**32, step)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_error(name):
    worst = float(torch.nan_to_num(ulps(name, dense(4099)), 0.0).max())
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
    got = cases.math(list(FUNCTIONS).index(name), torch.tensor(x))
    for a, value, expected in zip(x, got, y, strict=True):
        if expected is not None:
            expected = torch.tensor(expected)
            same = value.view(torch.int32) == expected.view(torch.int32) or (value.isnan() and expected.isnan())
            assert same, f"{name}({a}) is {value}, not {expected}"
        else:
            assert value.isfinite()


@pytest.mark.parametrize("isa", cases.ISAS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_nan_stays_nan(name, isa):
    cases.use_isa(isa)
    x = torch.tensor([0x7FC00000, 0x7F800001, -1, 0x7FFFFFFF], dtype=torch.int32).view(torch.float32)
    assert cases.math(list(FUNCTIONS).index(name), x).isnan().all()


def test_bounds_and_symmetry():
    x = dense(4099).to(torch.int32).view(torch.float32)
    x = x[~x.isnan()].sort().values
    exp, tanh, sigmoid = (cases.math(f, x) for f in (0, 2, 3))
    assert exp.min() == 0
    assert tanh.abs().max() == 1
    assert sigmoid.min() == 0
    assert sigmoid.max() == 1
    cases.same_bits([cases.math(2, -x)], [-tanh])
    # Neighbours of this sample lie far enough apart that rounding cannot turn them round.
    for f, y in (("exp", exp), ("tanh", tanh), ("sigmoid", sigmoid), ("log", cases.math(1, x[x > 0]))):
        assert (y[1:] >= y[:-1]).all(), f"{f} falls"


def _all_floats() -> None:
    for name in FUNCTIONS:
        worst, at = 0.0, 0
        for start in range(0, 2**32, 2**22):
            bits = torch.arange(start, start + 2**22)
            if name == "log" and start >= 2**31:
                break
            error = torch.nan_to_num(ulps(name, bits), 0.0)
            if float(error.max()) > worst:
                worst, at = float(error.max()), start + int(error.argmax())
        value = torch.tensor([at]).to(torch.int32).view(torch.float32).item()
        print(f"{name}: {worst:.4f} ulp at {value!r} (bits {at:#010x})", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(_all_floats())
