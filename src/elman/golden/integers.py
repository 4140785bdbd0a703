"""The golden results of the integer kernels: models that read, models that are quantised, and the functions."""

# ruff: noqa: E741 (l is a layer, I the size of the input)
from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .. import kernels
from ..kernels import integer
from ..kernels.integer import IntegerLayer, IntegerWeights, Matrix
from ..model.integer import IntegerNetwork
from ..model.rounding import to_integers
from .inputs import digest

CELLS = integer.DEFINED
ISAS = ("portable", "avx2", "avxvnni", "avx512vnni", "neon", "neondot")


def uniform(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """float32 in -1 .. 1, multiples of 2^-23."""
    raw = np.random.Philox(key=seed).random_raw(int(np.prod(shape)))
    return ((raw >> np.uint64(40)).astype(np.float32) * np.float32(2**-23) - np.float32(1)).reshape(shape)


def whole(shape: tuple[int, ...], reach: int, seed: int, dtype: type = np.int64) -> np.ndarray:
    """Draw integers in -reach .. reach."""
    raw = np.random.Philox(key=seed + 1000).random_raw(int(np.prod(shape)))
    return ((raw % np.uint64(2 * reach + 1)).astype(np.int64) - reach).astype(dtype).reshape(shape)


def text(T: int, B: int, V: int, seed: int = 9) -> np.ndarray:
    """int64 (T, B)."""
    return np.abs(whole((T, B), 10**6, seed)) % V


def floats(cell: str, L: int, H: int, V: int, seed: int = 1, embedding: int = 0):
    """layers, (w_out, b_out), embedding (V, E) or None: a float model whose gates open and close."""
    N = kernels.CELLS[cell].gates * H
    E = uniform((V, embedding), seed + 90) if embedding else None
    layers = []
    for l in range(L):
        I, s = H if l else embedding or V, seed + 10 * l
        reach = 2.0 * I**-0.5 if l or embedding else 2.0
        w_ih, w_hh = uniform((N, I), s) * np.float32(reach), uniform((N, H), s + 1) * np.float32(2.0 * H**-0.5)
        if cell == "rnn_relu":
            w_hh *= np.float32(0.5)
        layers.append((w_ih, w_hh, uniform((N,), s + 2), uniform((N,), s + 3)))
    return layers, (uniform((V, H), seed + 80) * np.float32(3 * H**-0.5), uniform((V,), seed + 81)), E


def extreme(cell: str, L: int, H: int, V: int, *, bits: int = 8, scale: float = 0.05, seed: int = 1) -> IntegerNetwork:
    """Any integers that the contract allows in weights of `bits`, most units saturated where `scale` is large."""
    N = kernels.CELLS[cell].gates * H

    def matrix(rows: int, columns: int, largest: float, s: int) -> Matrix:
        q = whole((rows, columns), 2 ** (bits - 1) - (bits == 8), s, np.int64)
        q = np.minimum(q, 2 ** (bits - 1) - 1).astype(np.int8)  # of 4 bits: -8 .. 7
        return Matrix(q, np.abs(uniform((rows,), s + 1)) * np.float32(largest))

    layers = [
        IntegerLayer(
            matrix(N, H if l else V, scale if l else 40.0, seed + 10 * l),
            matrix(N, H, scale, seed + 10 * l + 2),
            whole((N,), 3000, seed + 10 * l + 4, np.int32),
            whole((H if cell == "gru" else 0,), 3000, seed + 10 * l + 5, np.int32),
        )
        for l in range(L)
    ]
    return IntegerNetwork(
        IntegerWeights(cell, tuple(layers), matrix(V, H, 1e-3, seed + 70), uniform((V,), seed + 72)), bits
    )


def any_state(model: IntegerNetwork, B: int, seed: int = 5) -> integer.IntegerState:
    state = model.begin_state(B)
    state.h[:] = whole(state.h.shape, 127, seed)
    if state.c is not None:
        state.c[:] = whole(state.c.shape, 32767, seed + 1)
    return state


def results() -> Iterator[tuple[str, str]]:
    """The name of each result, as in integers.json, and its digest as computed here."""
    for cell in CELLS:
        for L, H, V, B, scale in ((1, 37, 44, 5, 0.05), (3, 70, 33, 9, 30.0)):
            model, ids = extreme(cell, L, H, V, scale=scale), text(7, B, V)
            logits, state = model.run(ids, any_state(model, B))
            nats, _ = model.score(ids, text(7, B, V, 10))
            yield f"models/{cell} {L} x {H}", digest([logits, *state, nats])
        for bits, embedding in ((8, 0), (8, 11), (6, 0), (5, 0), (4, 11)):
            layers, output, E = floats(cell, 2, 21, 13, embedding=embedding)
            arrays = to_integers(cell, layers, output, bits=bits, embedding=E, ids=text(12, 3, 13)).to_arrays()
            name = f"{cell} {bits} bits" + (", embedding" if embedding else "")
            yield f"quantised/{name}", digest(arrays[key] for key in sorted(arrays))
    x = np.arange(-(2**15), 2**15).astype(np.int16)
    yield "functions/sigmoid", digest([integer.sigmoid(x)])
    yield "functions/tanh", digest([integer.tanh(x)])
