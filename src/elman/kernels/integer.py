"""The definition of the integer model, in plain NumPy: what every integer kernel must compute, bit by bit. Contract 1.

Weights and hidden states are int8 in -127..127, their products are summed in int32, and everything after a sum is
integer arithmetic or a single IEEE-754 operation: no fused multiply-add, no order of summation, no libm. So the bits
need no promise from compiler, processor or library. docs/explanation/arithmetic.md gives the reasons.

Numbers, each in its own unit:
    h   int8    what is multiplied: the hidden state in 1/127; ReLU: in 1/127 of a unit's range, which the weights carry
    p   int32   a pre-activation in 2^-11, saturated to int16 before a function; ReLU: in 2^-8 of h's unit
    c   int16   what is carried from step to step: the LSTM's cell in 2^-11, the GRU's exact h in 2^-15; an RNN has none
    gates int16 in 2^-15

Shapes: T steps, B batch, V vocabulary, E embedding, I input, H hidden, G gates, L layers. Gate order is torch's.
"""

# ruff: noqa: E741 (l is a layer, I the size of the input)
from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .. import moved
from .backend import CELLS

CONTRACT = 1
DEFINED = ("rnn_relu", "rnn_tanh", "gru", "lstm")
"""The cells that have an integer form."""
CARRIES = {"gru", "lstm"}
"""The cells that have a c."""
POINT = 11
"""Fraction bits of a pre-activation."""
LIMIT = 2**29
"""No bias, and no scaled sum that any input can give, reaches this, so the int32 sum of three never overflows."""
__getattr__ = moved.names(__name__)

SIGMOID = np.array(
    [
        [16384, 8214, -120, -524],
        [23955, 6469, -1638, 75],
        [28862, 3438, -1302, 216],
        [31215, 1471, -637, 130],
        [32178, 576, -260, 55],
        [32549, 217, -101, 22],
        [32687, 80, -36, 7],
        [32738, 30, -15, 4],
        [32757, 9, -3, 2],
        [32764, 4, -3, 1],
        *[[32767, 0, 0, 0]] * 6,
    ],
    np.int16,
)
"""(16, 4): sigmoid on [k, k+1) is the cubic with coefficients [k] in 2^-15, constant first."""


class Matrix(NamedTuple):
    """Rows of int8 weights and what a unit of each row's sum is worth."""

    q: np.ndarray
    """int8 (N, K), in -127..127."""
    scale: np.ndarray
    """float32 (N), at least 0."""


class IntegerLayer(NamedTuple):
    """The numbers of one layer."""

    w_ih: Matrix
    """(GH, I): I is H above layer 0, which has E, or V where no embedding is."""
    w_hh: Matrix
    """(GH, H)."""
    bias: np.ndarray
    """int32 (GH): b_ih + b_hh; the GRU's n: b_ih alone."""
    bias_hn: np.ndarray
    """int32 (H): the GRU's b_hh of n; other cells: (0,)."""


@dataclass(frozen=True, eq=False)
class IntegerWeights:
    """All numbers of an integer model."""

    cell: str
    layers: tuple[IntegerLayer, ...]
    output: Matrix
    """(V, H); a sum times its scale is a logit."""
    output_bias: np.ndarray
    """float32 (V)."""
    embedding: Matrix | None = None
    """(V, E), or None: ids select columns of layer 0's w_ih."""

    @property
    def sizes(self) -> tuple[int, int, int]:
        """(L, H, V)."""
        return len(self.layers), self.output.q.shape[1], self.output.q.shape[0]


class IntegerState(NamedTuple):
    """State that a step passes to the next."""

    h: np.ndarray
    """int8 (L, B, H)."""
    c: np.ndarray | None
    """int16 (L, B, H), or None for an RNN."""


def begin_state(network: IntegerWeights, batch: int) -> IntegerState:
    L, H, _ = network.sizes
    carried = np.zeros((L, batch, H), np.int16) if network.cell in CARRIES else None
    return IntegerState(np.zeros((L, batch, H), np.int8), carried)


# --- arithmetic ---


def saturate(x: np.ndarray) -> np.ndarray:
    """int16: the nearest value that it has."""
    return np.clip(x, -(2**15), 2**15 - 1).astype(np.int16)


def multiply(a: np.ndarray, b: np.ndarray | int) -> np.ndarray:
    """int16: a b 2^-15, halves up. Not both may be -2^15. (x86 pmulhrsw, ARM sqrdmulh, WebAssembly q15mulr_sat_s.)"""
    return ((a.astype(np.int32) * np.asarray(b, np.int32) + 2**14) >> 15).astype(np.int16)


def sums(x: np.ndarray, q: np.ndarray) -> np.ndarray:
    """int32 (..., N) of x (..., K) and q (N, K).

    float64 holds every partial sum exactly, being a whole number below 2^53, so its order does not matter either.
    """
    return (x.astype(np.float64) @ q.astype(np.float64).T).astype(np.int32)


def scaled(total: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """int32: a sum rounded to float32, times its scale, rounded to a whole number; ties to even, both times."""
    return np.rint(total.astype(np.float32) * scale).astype(np.int32)


def sigmoid(p: np.ndarray) -> np.ndarray:
    """int16 in 1..32767, of p int16 in 2^-11. sigmoid(-p) = 2^15 - sigmoid(p); within 2.2 units of the function."""
    size = np.minimum(np.abs(p.astype(np.int32)), 2**15 - 1).astype(np.int16)
    k, t = size >> POINT, (size & (2**POINT - 1)) << (15 - POINT)
    c0, c1, c2, c3 = SIGMOID.T[:, k]
    y = c0 + multiply(t, c1 + multiply(t, c2 + multiply(t, c3)))
    return np.where(p < 0, 2**15 - y.astype(np.int32), y).astype(np.int16)


def tanh(p: np.ndarray) -> np.ndarray:
    """int16 in -32766..32766: 2 sigmoid(2p) - 1."""
    return (2 * sigmoid(saturate(2 * p.astype(np.int32))).astype(np.int32) - 2**15).astype(np.int16)


def narrow(h: np.ndarray) -> np.ndarray:
    """int8: h int16 in 2^-15 to 1/127."""
    return multiply(h, 127).astype(np.int8)


# --- the model ---


def table(network: IntegerWeights) -> np.ndarray:
    """int32 (V, GH): layer 0's pre-activations from each id, bias included."""
    layer, embedding = network.layers[0], network.embedding
    if embedding is None:
        return scaled(np.ascontiguousarray(layer.w_ih.q.T), layer.w_ih.scale) + layer.bias
    total = sums(embedding.q, layer.w_ih.q).astype(np.float32)  # (V, GH)
    return np.rint((total * layer.w_ih.scale) * embedding.scale[:, None]).astype(np.int32) + layer.bias


def pointwise(cell: str, x: np.ndarray, total: np.ndarray, layer: IntegerLayer, c: np.ndarray | None):
    """The step of a cell after its products.

    Args:
        x: int32 (B, GH), the input's share of the pre-activations, bias included.
        total: int32 (B, GH), the sums of h and w_hh.
        c: int16 (B, H), or None.
    Returns:
        h int8 (B, H), c int16 (B, H) or None.
    """
    from_h = scaled(total, layer.w_hh.scale)
    if cell == "rnn_relu":
        return np.minimum(multiply(np.maximum(saturate(x + from_h), 0), 2**7), 127).astype(np.int8), None
    if cell == "rnn_tanh":
        return narrow(tanh(saturate(x + from_h))), None
    assert c is not None
    H = total.shape[1] // CELLS[cell].gates
    if cell == "lstm":
        i, f, g, o = (saturate(x + from_h)[:, k * H : (k + 1) * H] for k in range(4))
        new = multiply(multiply(sigmoid(i), tanh(g)), 2**POINT)  # in 2^-15, then in 2^-11
        c = saturate(multiply(sigmoid(f), c).astype(np.int32) + new)
        return narrow(multiply(sigmoid(o), tanh(c))), c
    r, z = (sigmoid(saturate(x[:, k : k + H] + from_h[:, k : k + H])) for k in (0, H))
    from_hn = multiply(r, saturate(from_h[:, 2 * H :] + layer.bias_hn))
    n = tanh(saturate(saturate(x[:, 2 * H :]).astype(np.int32) + from_hn))
    c = saturate(multiply(z, c).astype(np.int32) + multiply(2**15 - z.astype(np.int32), n))
    return narrow(c), c


def step(network: IntegerWeights, inputs: np.ndarray, ids: np.ndarray, state: IntegerState) -> IntegerState:
    """The state after one id of each row. inputs: `table` of the network; ids: int64 (B,)."""
    x, hidden, carried = inputs[ids], [], []
    for l, layer in enumerate(network.layers):
        if l:
            x = scaled(sums(hidden[-1], layer.w_ih.q), layer.w_ih.scale) + layer.bias
        h, c = pointwise(
            network.cell, x, sums(state.h[l], layer.w_hh.q), layer, None if state.c is None else state.c[l]
        )
        hidden.append(h)
        carried.append(c)
    return IntegerState(np.stack(hidden), None if state.c is None else np.stack(carried))


def logits(network: IntegerWeights, h: np.ndarray) -> np.ndarray:
    """float32 (..., V), of h int8 (..., H): a sum, a product and an addition, each rounded once."""
    return sums(h, network.output.q).astype(np.float32) * network.output.scale + network.output_bias


def run(network: IntegerWeights, ids: np.ndarray, state: IntegerState) -> tuple[np.ndarray, IntegerState]:
    """Read ids (T, B): logits float32 (T, B, V) after each, and the state after the last."""
    inputs, hidden = table(network), []
    for row in ids:
        state = step(network, inputs, row, state)
        hidden.append(state.h[-1])
    H = network.sizes[1]
    return logits(network, np.stack(hidden) if hidden else np.zeros((0, ids.shape[1], H), np.int8)), state


# --- cost ---
