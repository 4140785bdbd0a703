"""Inputs of the golden results, from Philox words alone, hence the same on every machine; and the digest of
what is computed from them."""

# ruff: noqa: E741 (I is the size of the input)
from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np

from ..kernels import CELLS, LayerWeights, State
from ..model import initial

Array = np.ndarray


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
) -> tuple[Array, State, LayerWeights, list[Array]]:
    """x, state, weights, and cotangents of `(output, *state)`."""
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


def digest(arrays: Iterable[Array | None]) -> str:
    """SHA-256 of the shapes and the little-endian bytes; None counts for nothing."""
    result = hashlib.sha256()
    for values in arrays:
        if values is not None:
            result.update(f"{values.dtype.str[1:]} {values.shape}\n".encode())
            result.update(np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<")).tobytes())
    return result.hexdigest()
