"""docs/explanation/arithmetic.md by hand: a loop for each rule, no vectors of sums, blocks or threads. The same bits.

Only exp, log, tanh and sigmoid are the kernel's own; test_cpu_math.py has their errors.
"""

from __future__ import annotations

import importlib

import cases
import numpy as np
import pytest
from cases import CELLS, Array, numbers, same_bits

from elman import kernels
from elman.kernels.backend import Backend

F = np.float32


def fma(a: Array, b: Array, c: Array) -> Array:
    """a b + c of float32, rounded once.

    The product is exact in float64. The sum is rounded to odd there, which its error tells how to do (Knuth's TwoSum);
    rounding that to float32 is then rounding once (Boldo and Melquiond, 2008).
    """
    product, c = a.astype(np.float64) * b, np.asarray(c, dtype=np.float64)
    total = product + c
    part = total - product
    error = (product - (total - part)) + (c - part)
    even = total.view(np.int64) % 2 == 0
    towards = np.nextafter(total, np.where(error > 0, np.inf, -np.inf))
    return np.where((error != 0) & even, towards, total).astype(F)


def dot(start: Array | np.floating, a: Array, b: Array) -> Array:
    """start + a b over the last axis: one accumulator, k rising. a: (..., K), b: (..., K)."""
    total = np.broadcast_to(start, np.broadcast_shapes(np.shape(start), a.shape[:-1], b.shape[:-1])).astype(F)
    for k in range(a.shape[-1]):
        total = fma(np.broadcast_to(a[..., k], total.shape), np.broadcast_to(b[..., k], total.shape), total)
    return total


def product(x: Array, w: Array, b: Array | None) -> Array:
    """x (..., K) times w (N, K) transposed, plus b."""
    return dot(F(0) if b is None else b, x[..., None, :], w)


def gradient(d: Array, x: Array) -> Array:
    """(N, K) from d (T, B, N) and x (T, B, K): t falls, b rises."""
    total = np.zeros((d.shape[-1], x.shape[-1]), dtype=F)
    for t in reversed(range(len(d))):
        for b in range(d.shape[1]):
            total = fma(np.broadcast_to(d[t, b, :, None], total.shape), np.broadcast_to(x[t, b], total.shape), total)
    return total


def column_sums(d: Array) -> Array:
    total = np.zeros(d.shape[-1], dtype=F)
    for t in reversed(range(len(d))):
        for b in range(d.shape[1]):
            total = total + d[t, b]
    return total


def tree(lanes: Array) -> np.float32:
    for half in (8, 4, 2, 1):
        lanes = lanes[:half] + lanes[half : 2 * half]
    return lanes[0]


def test_the_fused_multiply_add_rounds_once():
    x = np.array([1 + 2**-12, 2.0**-75, -1.0], dtype=F)
    assert fma(x, x, np.array([-1.0, 2**-149, 1.0])).tolist() == [2**-11 + 2**-24, 2**-148, 2.0]  # the second is a tie
    assert (F(1 + 2**-12) * F(1 + 2**-12) - F(1)) != F(2**-11 + 2**-24)  # which two roundings do not give


def test_the_dense_layer():
    T, B, K, N = 3, 4, 300, 19
    x, w, b, d_y = (numbers(shape, i) for i, shape in enumerate([(T, B, K), (N, K), (N,), (T, B, N)], 1))
    d_x = dot(F(0), d_y[..., None, :], w.T)
    same_bits(cases.run_linear(x, w, b, d_y), [product(x, w, b), d_x, gradient(d_y, x), column_sums(d_y)])


def test_the_loss():
    hidden, w, b, targets = cases.loss_inputs(2, 3, 33, 45)
    logits, nats, d = product(hidden, w, b), np.empty((2, 3), dtype=F), np.empty((2, 3, 45), dtype=F)
    scale = F(F(1.7) / F(6))
    for at in np.ndindex(2, 3):
        z, target = logits[at], targets[at]
        top = z.max()
        e, lanes = cases.math("exp", z - top), np.zeros(16, dtype=F)
        for j in range(0, 45, 16):
            lanes = lanes + np.pad(e[j : j + 16], (0, 16 - len(e[j : j + 16])))
        total = tree(lanes)
        nats[at] = cases.math("log", np.array([total]))[0] - (z[target] - top)
        p = e / total
        p[target] -= F(1)
        d[at] = p * scale
    mean = F(sum(map(float, nats.flat)) / 6)
    d_hidden = dot(F(0), d[..., None, :], w.T)
    want = [np.array(mean), nats, d_hidden, gradient(d, hidden), column_sums(d)]
    same_bits(cases.run_loss(hidden, w, b, targets), want)


def tanh(x: Array) -> Array:
    return cases.math("tanh", x)


def sigmoid(x: Array) -> Array:
    return cases.math("sigmoid", x)


def step(cell: str, pre: Array, state: kernels.State, w_hh: Array, b_hh: Array) -> kernels.State:
    """pre (B, GH): the input's share, biases included but for that of the GRU's W_hn h."""
    h, H = state[0], w_hh.shape[1]
    if cell == "gru":
        gates, hn = dot(pre[:, : 2 * H], h[:, None], w_hh[: 2 * H]), dot(b_hh[2 * H :], h[:, None], w_hh[2 * H :])
        r, z = sigmoid(gates[:, :H]), sigmoid(gates[:, H:])
        n = tanh(fma(r, hn, pre[:, 2 * H :]))
        return (fma(z, h - n, n),)
    gates = dot(pre, h[:, None], w_hh)
    if cell == "lstm":
        i, f, g, o = np.split(gates, 4, -1)
        c = fma(sigmoid(f), state[1], sigmoid(i) * tanh(g))
        return sigmoid(o) * tanh(c), c
    return (np.where(gates < 0, F(0), gates) if cell == "rnn_relu" else tanh(gates),)


@pytest.mark.parametrize("ids", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_a_layer(cell, ids):
    x, state, weights, _ = cases.layer_inputs(cell, 3, 3, 5, 18, ids=ids)
    w_ih, w_hh, b_ih, b_hh = weights
    assert b_ih is not None
    assert b_hh is not None
    start = b_ih + b_hh
    if cell == "gru":
        start[36:] = b_ih[36:]
    one_hot = np.eye(5, dtype=F)[x] if ids else x
    outputs, last = [], state
    for t in range(3):
        last = step(cell, product(one_hot[t], w_ih, start), last, w_hh, b_hh)
        outputs.append(last[0])
    same_bits(cases.run_layer(cell, x, state, weights, [None] * 3)[0], [np.stack(outputs), *last])


@pytest.mark.parametrize("cell", ["rnn_relu", "rnn_tanh"])
def test_back_through_a_layer(cell):
    x, (h0,), weights, (d_out, d_last) = cases.layer_inputs(cell, 3, 2, 5, 18)
    w_ih, w_hh, _, _ = weights
    outputs, grads = cases.run_layer(cell, x, (h0,), weights, [d_out, d_last])
    y, d, d_h = outputs[0], np.empty_like(outputs[0]), d_last
    for t in (2, 1, 0):
        d_h = d_h + d_out[t]
        d[t] = np.where(y[t] > 0, d_h, F(0)) if cell == "rnn_relu" else d_h * fma(-y[t], y[t], np.ones_like(y[t]))
        d_h = dot(F(0), d[t][:, None], w_hh.T)
    before = np.concatenate((h0[None], y[:-1]))
    sums = column_sums(d)
    same_bits(grads, [dot(F(0), d[..., None, :], w_ih.T), d_h, gradient(d, x), gradient(d, before), sums, sums])


def test_the_norm_and_the_updates():
    arrays, squares = cases.arrays(3), []
    for a in arrays:
        for at in range(0, a.size, 8192):
            chunk = np.pad(a[at : at + 8192].astype(np.float64) ** 2, (0, -len(a[at : at + 8192]) % 16)).reshape(-1, 16)
            lanes = np.zeros(16)
            for row in chunk:
                lanes = lanes + row
            squares.append(tree(lanes))
    total = 0.0
    for square in squares:
        total += square
    assert kernels.grad_norm(arrays) == np.sqrt(total)
    params, grads, m, v = cases.arrays(1), cases.arrays(2), cases.arrays(4, 0.1), [abs(a) for a in cases.arrays(5)]
    want = []
    for p, g, mean, square in zip(params, grads, m, v, strict=True):
        x = g * F(0.7)
        mean, square = mean * F(0.9) + x * F(1 - 0.9), square * F(0.999) + (x * x) * F(1 - 0.999)
        correction1, correction2 = 1 - 0.9 * 0.9, np.sqrt(1 - 0.999 * 0.999)
        below = np.sqrt(square) / F(correction2) + F(1e-8)
        want.append((p * F(1 - 0.01 * 0.1) - mean / below * F(0.01 / correction1), mean, square))
    cases.adamw(params, grads, m, v, 2, weight_decay=0.1, scale=0.7)
    for got, wanted in zip(zip(params, m, v, strict=True), want, strict=True):
        same_bits(got, wanted)


@pytest.mark.parametrize("name", ["native", "reference"])
def test_a_backend_has_every_operation(name):
    module = importlib.import_module(f"elman.kernels.{name}")
    operations = {operation for operation in vars(Backend) if not operation.startswith("_")}
    assert operations - set(vars(module)) == set()
