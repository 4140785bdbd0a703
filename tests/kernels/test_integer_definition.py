"""The definition of the integer model: its functions against float64, and its cells against their formulas."""

# ruff: noqa: E741 (l is a layer, I the size of the input)
from __future__ import annotations

import numpy as np
import pytest
from integers import CELLS, extreme, floats, same, text, uniform, whole

from elman.kernels import integer, likelihood
from elman.model.rounding import to_integers

ALL = np.arange(-(2**15), 2**15).astype(np.int16)


def test_sigmoid_is_the_function():
    y = integer.sigmoid(ALL).astype(np.float64)
    assert np.abs(y - 2**15 / (1 + np.exp(-ALL.astype(np.float64) / 2**11))).max() < 2.2  # of 2^15: measured 2.18
    assert y.min() == 1
    assert y.max() == 2**15 - 1
    assert np.diff(y).min() >= -1  # pieces may meet one unit off
    assert (y[1:] + y[:0:-1] == 2**15).all()  # sigmoid(-p) = 1 - sigmoid(p), of -32767 .. 32767


def test_tanh_is_the_function():
    y = integer.tanh(ALL).astype(np.float64)
    assert np.abs(y - 2**15 * np.tanh(ALL / 2**11)).max() < 4.4  # twice sigmoid's
    assert (y[1:] == -y[:0:-1]).all()
    assert y[2**15] == 0


def test_multiply_rounds_once():
    a, b = whole((1000,), 32767, 1), whole((1000,), 32767, 2)
    expected = [(int(x) * int(y) * 2 + 2**15) // 2**16 for x, y in zip(a, b, strict=True)]  # floor(x + 1/2)
    assert integer.multiply(a.astype(np.int16), b.astype(np.int16)).tolist() == expected


@pytest.mark.parametrize("K", [1, 37, 4096])
def test_sums_are_exact(K):
    x, q = whole((5, K), 127, 1, np.int8), whole((7, K), 127, 2, np.int8)
    x[0], q[0] = 127, -127
    assert (integer.sums(x, q) == x.astype(np.int64) @ q.astype(np.int64).T).all()


@pytest.mark.parametrize("V", [1, 2, 77, 5000])
@pytest.mark.parametrize("scale", [0.1, 8.0, 1e4])
def test_nats_are_the_cross_entropy(V, scale):
    x, targets = uniform((40, V), 3) * np.float32(scale), text(40, 1, V)[:, 0]
    wide = x.astype(np.float64)
    top = wide.max(axis=1, keepdims=True)
    exact = (np.log(np.exp(wide - top).sum(axis=1)) + top[:, 0]) - wide[np.arange(40), targets]
    assert np.abs(likelihood.nats(x, targets) - exact).max() < 1e-6  # what is below 2^-31 of the likeliest is dropped
    assert (likelihood.nats(x, targets) >= 0).all()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def float_logits(cell, layers, output, embedding, ids):
    """The formulas of torch.nn's documentation, in float64."""
    H, (w, b), result = output[0].shape[1], output, []
    h, c = (np.zeros((len(layers), ids.shape[1], H)) for _ in range(2))
    for row in ids:
        x = np.eye(w.shape[0])[row] if embedding is None else embedding[row].astype(np.float64)
        for l, (w_ih, w_hh, b_ih, b_hh) in enumerate(layers):
            i, r = x @ w_ih.T + b_ih, h[l] @ w_hh.T + b_hh
            parts = [slice(k * H, (k + 1) * H) for k in range(4)]
            if cell == "gru":
                reset, update = (sigmoid(i[:, p] + r[:, p]) for p in parts[:2])
                new = np.tanh(i[:, parts[2]] + reset * r[:, parts[2]])
                h[l] = (1 - update) * new + update * h[l]
            elif cell == "lstm":
                enter, forget, out = (sigmoid(i[:, p] + r[:, p]) for p in (parts[0], parts[1], parts[3]))
                c[l] = forget * c[l] + enter * np.tanh(i[:, parts[2]] + r[:, parts[2]])
                h[l] = out * np.tanh(c[l])
            else:
                h[l] = np.tanh(i + r) if cell == "rnn_tanh" else np.maximum(i + r, 0)
            x = h[l]
        result.append(x @ w.T + b)
    return np.stack(result)


@pytest.mark.parametrize("embedding", [0, 24])
@pytest.mark.parametrize("L", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_a_quantised_model_is_near_the_float_one(cell, L, embedding):
    layers, output, E = floats(cell, L, 40, 23, embedding=embedding)
    ids = text(30, 8, 23)
    model = to_integers(cell, layers, output, embedding=E, ids=ids)
    expected = float_logits(cell, layers, output, E, ids)
    got = integer.run(model.network, ids, model.begin_state(8))[0]
    error = np.sqrt(
        np.square(got - expected).mean() / np.square(expected - expected.mean(axis=-1, keepdims=True)).mean()
    )
    assert error < 0.03  # measured: at most 0.021; a wrong gate gives more than 0.3


@pytest.mark.parametrize("cell", CELLS)
def test_one_long_call_equals_many_short_ones(cell):
    model, ids = extreme(cell, 2, 33, 13), text(9, 3, 13)
    whole_run, last = integer.run(model.network, ids, model.begin_state(3))
    state, parts = model.begin_state(3), []
    for piece in (ids[:1], ids[1:1], ids[1:6], ids[6:]):
        logits, state = integer.run(model.network, piece, state)
        parts.append(logits)
    same((np.concatenate(parts), *state), (whole_run, *last))
