"""Numbers for the tests of the operations, from NumPy's raw Philox words: the same on every machine. NumPy arrays."""

# ruff: noqa: E741 (I is the size of the input)
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from elman.kernels import CELLS, State, Weights
from elman.model import initial

Array = np.ndarray
SHAPES = [
    {"T": 7, "B": 5, "I": 13, "H": 37},
    {"T": 1, "B": 1, "I": 1, "H": 1},
    {"T": 0, "B": 3, "I": 4, "H": 5},
    {"T": 1, "B": 9, "I": 3, "H": 16},
    {"T": 5, "B": 1, "I": 33, "H": 31},
    {"T": 2, "B": 3, "I": 65, "H": 33},
    {"T": 35, "B": 18, "I": 7, "H": 24},
    {"T": 3, "B": 2, "I": 300, "H": 290},
    {"T": 3, "B": 0, "I": 4, "H": 5},
]
"""Sizes of a layer: around those of tiles and vectors, and none."""


def numbers(shape: Sequence[int], seed: int, scale: float = 1.0) -> Array:
    """float32, uniform in -scale .. scale."""
    values = initial.uniform(seed, 0, int(np.prod(shape))) * 2.0 - 1.0
    return (values * scale).astype(np.float32).reshape(shape)


def integers(shape: Sequence[int], bound: int, seed: int) -> Array:
    """int64 in 0 .. bound-1."""
    values = initial.uniform(seed, 1, int(np.prod(shape))) * bound
    return values.astype(np.int64).reshape(shape)


def layer_inputs(
    cell: str,
    T: int,
    B: int,
    I: int,
    H: int,
    *,
    ids: bool = False,
    bias: bool = True,
    seed: int = 1,
) -> tuple[Array, State, Weights, list[Array]]:
    """x, state, weights, and cotangents of (output, *state)."""
    rows, states = CELLS[cell].gates * H, CELLS[cell].states
    x = integers((T, B), I, seed) if ids else numbers((T, B, I), seed)
    state = tuple(numbers((B, H), seed + 1 + i) for i in range(states))
    w_ih, w_hh = numbers((rows, I), seed + 3, 0.5), numbers((rows, H), seed + 4, 1.5 * H**-0.5)
    b_ih, b_hh = (numbers((rows,), seed + 5 + i, 0.5) for i in range(2)) if bias else (None, None)
    cotangents = [numbers(shape, seed + 7 + i) for i, shape in enumerate([(T, B, H)] + [(B, H)] * states)]
    return x, state, (w_ih, w_hh, b_ih, b_hh), cotangents


def loss_inputs(T: int, B: int, H: int, V: int, seed: int = 20) -> tuple[Array, Array, Array, Array]:
    """hidden, weight, bias, targets."""
    return numbers((T, B, H), seed), numbers((V, H), seed + 1), numbers((V,), seed + 2), integers((T, B), V, seed + 3)
