"""Rounding of float weights to an integer model. elman.kernels.integer says what its numbers mean.

Choosing is exact too: the same weights, bits and text give the same integer model on every machine, for everything here
is a single IEEE-754 operation on each element, or a sum in a fixed order.
"""

# ruff: noqa: E741 (l is a layer, I the size of the input)
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import InputError
from ..kernels import CELLS, LayerWeights, integer
from ..kernels.integer import DEFINED, LIMIT, POINT, IntegerLayer, IntegerWeights, Matrix
from .integer import IntegerNetwork
from .integer_arrays import BITS

_CLIPS = tuple(np.float32(1.0 - 0.02 * i) for i in range(26))
"""Shares of a row's largest weight that its largest integer may represent; the best one is taken."""


def to_integers(
    cell: str,
    layers: Sequence[LayerWeights],
    output: tuple[np.ndarray, np.ndarray | None],
    *,
    bits: int = 8,
    embedding: np.ndarray | None = None,
    ids: np.ndarray | None = None,
) -> IntegerNetwork:
    """The integer model nearest to a float one.

    Args:
        cell: one of `CELLS`.
        layers: from the input upwards.
        output: weight (V, H) and bias (V) or None.
        bits: of a weight: 8, 6, 5 or 4.
        embedding: float32 (V, E), or None where ids select columns of w_ih.
        ids: int64 (T, B), a text of the kind that the model reads. A ReLU RNN needs it, to measure how far its units
            go (a 1 x 256 lost 0.006 bits a character measured on 1,600 of them, nothing on 6,400); for the others it
            makes fewer than 8 bits cost less.
    Raises:
        InputError: weights that are not finite or too large; a ReLU RNN without `ids`.
    """
    if cell not in CELLS:
        raise InputError(f"cell is {cell!r}; expected one of {', '.join(CELLS)}")
    if cell not in DEFINED:
        raise InputError(
            f"the cell {cell} has no integer form, so its models cannot be quantised; {', '.join(DEFINED)} have"
        )
    if bits not in BITS:
        raise InputError(f"bits is {bits}; expected one of {', '.join(map(str, BITS))}")
    for array in (*(w for layer in layers for w in layer), *output, embedding):
        if array is not None and not np.isfinite(array).all():
            raise InputError("the weights are not all finite numbers: the training diverged")
    if cell == "rnn_relu" and (ids is None or not ids.size):
        raise InputError("a ReLU RNN is quantised with a text, on which to measure how far its units go; give one")
    H = output[0].shape[1]
    ranges = relu_ranges(layers, ids, embedding) if cell == "rnn_relu" else np.ones((len(layers), H), np.float32)
    moments = None
    if bits < 8 and ids is not None:
        moments = _moments(_network(cell, layers, output, 8, embedding, ranges, None), ids)
    return IntegerNetwork(_network(cell, layers, output, bits, embedding, ranges, moments), bits)


def _network(cell, layers, output, bits, embedding, ranges, moments) -> IntegerWeights:
    one, top = np.float32(1.0), np.float32(127.0)
    E, made = None, []
    if embedding is not None:
        E = _matrix(np.asarray(embedding, np.float32), bits, None)
    for l, (w_ih, w_hh, b_ih, b_hh) in enumerate(layers):
        GH, H = w_hh.shape
        unit = np.full(GH, 2.0**POINT, np.float32)  # a pre-activation of 1.0, in integers
        if cell == "rnn_relu":
            unit = np.float32(2**8 * 127) / ranges[l]
        # A unit of the input's integers is 1 / 127 of its range; ids, for a column itself.
        from_below = ranges[l - 1] / top if l else one
        ih = _matrix(w_ih * from_below, bits, moments[l - 1] if moments is not None and l else None)
        hh = _matrix(w_hh * (ranges[l] / top), bits, moments[l] if moments is not None else None)
        b_ih, b_hh = (np.zeros(GH, np.float32) if b is None else b.astype(np.float32) for b in (b_ih, b_hh))
        bias, bias_hn = b_ih + b_hh, b_hh[:0]
        if cell == "gru":
            bias = np.concatenate((bias[: 2 * H], b_ih[2 * H :]))
            bias_hn = b_hh[2 * H :]
        made.append(
            IntegerLayer(
                Matrix(ih.q, ih.scale * unit),
                Matrix(hh.q, hh.scale * unit),
                _whole(bias * unit),
                _whole(bias_hn * unit[: bias_hn.size]),
            )
        )
    w, b = output
    out = _matrix(w * (ranges[-1] / top), bits, moments[-1] if moments is not None else None)
    b = np.zeros(w.shape[0], np.float32) if b is None else b.astype(np.float32)
    return IntegerWeights(cell, tuple(made), out, b, E)


def _matrix(w: np.ndarray, bits: int, moments: np.ndarray | None) -> Matrix:
    """w (N, K) as integers, each row with the scale that costs least: the squared error, weighted with the inputs'
    mean squares (K)."""
    largest = np.float32(2 ** (bits - 1) - 1)
    reach = np.abs(w).max(axis=1, initial=0.0).astype(np.float32)
    best_q = best_scale = np.empty(0, np.float32)
    best_cost = None
    for clip in _CLIPS if bits < 8 else _CLIPS[:1]:
        scale = reach * clip / largest
        divisor = np.where(scale > 0, scale, np.float32(1.0))
        q = np.clip(np.rint(w / divisor[:, None]), -largest, largest)
        error = (q * scale[:, None] - w).astype(np.float64) ** 2
        if moments is not None:
            error *= moments
        cost = np.add.reduce(np.ascontiguousarray(error.T), axis=0)  # row after row of error.T: one order
        if best_cost is None:
            best_q, best_scale, best_cost = q, scale, cost
        else:
            better = cost < best_cost
            best_q = np.where(better[:, None], q, best_q)
            best_scale, best_cost = np.where(better, scale, best_scale), np.minimum(cost, best_cost)
    return Matrix(best_q.astype(np.int8), best_scale.astype(np.float32))


def _whole(x: np.ndarray) -> np.ndarray:
    if np.abs(x).max(initial=0.0) >= LIMIT:
        raise InputError("a bias is too large for the integer model")
    return np.rint(x).astype(np.int32)


def _moments(network: IntegerWeights, ids: np.ndarray) -> np.ndarray:
    """float64 (L, H): the sums of squares of each unit's h, over a text that the integer model reads."""
    inputs, state = integer.table(network), integer.begin_state(network, ids.shape[1])
    total = np.zeros((len(network.layers), network.sizes[1]), np.int64)
    for row in ids:
        state = integer.step(network, inputs, row, state)
        total += (state.h.astype(np.int64) ** 2).sum(axis=1)
    return total.astype(np.float64) + 1.0


def relu_ranges(layers, ids, embedding) -> np.ndarray:
    """float32 (L, H): the largest h of each unit on a text, in float32, one product and one addition at a time, in
    order: so the same on every machine.

    Raises:
        InputError: states that grow beyond all numbers.
    """

    def product(x, w):
        total = np.zeros((x.shape[0], w.shape[0]), np.float32)
        for k in range(w.shape[1]):
            total += x[:, k, None] * w[:, k]
        return total

    T, B = ids.shape
    h = [np.zeros((B, w_hh.shape[1]), np.float32) for _, w_hh, _, _ in layers]
    top = np.zeros((len(layers), h[0].shape[1]), np.float32)
    w_ih = layers[0][0]
    inputs = w_ih.T if embedding is None else product(embedding.astype(np.float32), w_ih)
    for t in range(T):
        x = inputs[ids[t]]
        for l, (w_ih, w_hh, b_ih, b_hh) in enumerate(layers):
            if l:
                x = product(h[l - 1], w_ih)
            x = x + product(h[l], w_hh)
            if b_ih is not None:
                x += b_ih + b_hh
            h[l] = np.maximum(x, np.float32(0.0))
            top[l] = np.maximum(top[l], h[l].max(axis=0))
    floor = top.max(axis=1, keepdims=True) * np.float32(1 / 64)  # a unit that slept on this text may wake on another
    top = np.maximum(np.maximum(top, floor), np.float32(1e-6))
    if not np.isfinite(top).all():
        raise InputError("the RNN's states grow beyond all numbers on this text; it cannot be quantised")
    return top
