"""The native kernel's values against the NumPy reference in float64: outputs, states and every gradient.

An error is the largest absolute difference in an array over its largest absolute value. The tolerances are about twice
the largest error measured over all cases of a test (3.3e-6; 5.4e-6 over 4,096 steps); float32 rounds at 6e-8. The
reference's derivatives are compared with torch's autograd in tests/torch.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

import cases
import numpy as np
import pytest
from cases import CELLS, _cpu, run_layer
from inputs import SHAPES, Array, integers, layer_inputs, numbers

import elman
from elman import kernels
from elman.kernels import masks, optimisers, reference

TOLERANCE = 5e-6


def double(a) -> Any:
    return a.astype(np.float64) if a is not None and a.dtype == np.float32 else a


def error(got: Array, want: Array) -> float:
    assert got.shape == want.shape
    assert np.isfinite(got).all()
    if not want.size:
        return 0.0
    largest = max(float(abs(want).max()), 1e-30)  # below, float32 has only denormals left
    return float(abs(got.astype(np.float64) - want).max()) / largest


def agree(got: Iterable[Array], want: Iterable[Array], tolerance: float = TOLERANCE) -> None:
    for i, (a, b) in enumerate(zip(got, want, strict=True)):
        assert error(a, b) <= tolerance, f"array {i} of shape {b.shape}"


def compare_layer(cell, x, state, weights, d_out, tolerance=TOLERANCE) -> None:
    """Outputs, states and the gradients of the weights, from a gradient of the output."""
    outputs, grads = run_layer(cell, x, state, weights, [d_out, *(None for _ in state)])
    doubles: Any = tuple(double(w) for w in weights)
    trace = reference._forward(kernels.CELLS[cell], double(x), tuple(map(double, state)), doubles)
    d_projected, d_weights = reference._backward(kernels.CELLS[cell], trace, doubles, double(d_out))
    agree(outputs, [trace.output, *trace.states[-1]], tolerance)
    agree(grads[-len(d_weights) :], d_weights, tolerance)
    if x.dtype == np.float32:
        agree(grads[:1], [d_projected @ doubles[0]], tolerance)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("ids", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("cell", CELLS)
def test_layer(cell, shape, ids, bias):
    x, state, weights, cotangents = layer_inputs(cell, **shape, ids=ids, bias=bias)
    compare_layer(cell, x, state, weights, cotangents[0])


@pytest.mark.parametrize("cell", CELLS)
def test_a_long_sequence(cell):
    x, state, weights, cotangents = layer_inputs(cell, 4096, 2, 9, 8, ids=True)
    compare_layer(cell, x, state, weights, cotangents[0], 2 * TOLERANCE)


@pytest.mark.parametrize("ids", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_gates_at_100(cell, ids):
    """Pre-activations near 100 and -100, in every combination of gates."""
    x, state, (w_ih, w_hh, b_ih, b_hh), cotangents = layer_inputs(cell, 6, 5, 13, 37, ids=ids)
    assert b_ih is not None
    b_ih = np.where(integers(b_ih.shape, 2, 99) > 0, np.float32(100.0), np.float32(-100.0)) + b_ih
    compare_layer(cell, x, state, (w_ih, w_hh, b_ih, b_hh), cotangents[0])


@pytest.mark.parametrize("isa", cases.ISAS)
@pytest.mark.parametrize("cell", CELLS)
def test_nan_stays_in_its_row_and_never_leaves(cell, isa):
    cases.use_isa(isa)
    x, state, weights, cotangents = layer_inputs(cell, 5, 4, 6, 19)
    clean = run_layer(cell, x, state, weights, cotangents)[0][0]
    x[2, 1, 3] = np.nan
    (out, *_), grads = run_layer(cell, x, state, weights, cotangents)
    assert np.isnan(out[2:, 1]).all()
    assert np.array_equal(out[:2], clean[:2])
    others = [0, 2, 3]
    assert np.array_equal(out[:, others], clean[:, others])
    assert np.isnan(grads[0][:3, 1]).all() or cell == "rnn_relu"  # relu'(NaN) is 0 here, as in torch
    assert not np.isnan(grads[0][:, others]).any()


@pytest.mark.parametrize("isa", cases.ISAS)
def test_nan_in_the_loss_and_the_updates(isa):
    cases.use_isa(isa)
    hidden, weight, bias, targets = cases.loss_inputs(3, 4, 9, 21)
    hidden[1, 2, 0] = np.nan
    mean, nats, d_hidden, *_ = cases.run_loss(hidden, weight, bias, targets)
    assert np.isnan(mean)
    assert np.argwhere(np.isnan(nats)).tolist() == [[1, 2]]
    assert np.isnan(d_hidden[1, 2]).all()
    assert int(np.isnan(d_hidden).sum()) == 9
    ones = np.ones(40, dtype=np.float32)
    assert math.isnan(kernels.grad_norm([ones, np.array([1.0, np.nan], dtype=np.float32)]))
    assert kernels.grad_norm([ones, np.array([1.0, -np.inf], dtype=np.float32)]) == math.inf
    p = np.ones(2, dtype=np.float32)
    _cpu.sgd(params=[p], grads=[np.array([np.nan, 1.0], dtype=np.float32)], lr=0.5, scale=1.0)
    assert np.isnan(p).tolist() == [True, False]


# --- the dense output ---


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "shape", [(7, 5, 13, 37), (1, 1, 1, 1), (0, 3, 4, 5), (3, 0, 4, 5), (130, 2, 290, 33)], ids=str
)
def test_linear(shape, bias):
    T, B, K, N = shape
    x, w, d = numbers((T, B, K), 1), numbers((N, K), 2), numbers((T, B, N), 4)
    b = numbers((N,), 3) if bias else None
    want = [reference.linear(double(x), double(w), double(b)), double(d) @ double(w)]
    want += [np.einsum("tbn,tbk->nk", double(d), double(x))] + ([double(d).sum((0, 1))] if bias else [])
    agree(cases.run_linear(x, w, b, d), want)


@pytest.mark.parametrize("keep", [True, False], ids=["logits kept", "computed again"])
@pytest.mark.parametrize(
    "shape", [(7, 5, 13, 37), (1, 1, 1, 1), (1, 1, 1, 2), (3, 2, 5, 16), (2, 3, 9, 5000), (31, 40, 6, 4100)], ids=str
)
def test_cross_entropy(shape, keep):
    hidden, weight, bias, targets = cases.loss_inputs(*shape)
    targets[0, 0] = -1 if targets.size > 1 else 0
    h, w, b, counted = double(hidden), double(weight), double(bias), (targets >= 0)[..., None]
    mean, nats = reference.cross_entropy(h, w, b, targets)
    d = np.exp(reference.log_softmax(reference.linear(h, w, b))) - np.eye(len(w))[targets]
    d = np.where(counted, d, 0.0) * (1.7 / counted.sum())
    want = [np.array(mean), nats, d @ w, np.einsum("tbv,tbh->vh", d, h), d.sum((0, 1))]
    agree(cases.run_loss(hidden, weight, bias, targets, keep), want)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_cross_entropy_of_nothing(shape):
    """The mean of nothing is nan, as in torch; the gradients are zeros."""
    _, weight, bias, _ = cases.loss_inputs(2, 2, 9, 21)
    targets = np.zeros(shape, dtype=np.int64)
    mean, nats, *grads = cases.run_loss(numbers((*shape, 9), 1), weight, bias, targets)
    assert np.isnan(mean)
    assert nats.shape == shape
    assert not any(g.any() for g in grads)


def test_cross_entropy_of_extreme_logits():
    """One logit far above the rest, and the target elsewhere: nats near 200, no overflow."""
    hidden, weight, bias = (np.zeros(shape, dtype=np.float32) for shape in ((2, 1, 3), (35, 3), (35,)))
    bias[4], bias[30] = 100.0, -100.0
    mean, nats, _, _, d_bias = cases.run_loss(hidden, weight, bias, np.array([[4], [30]]))
    assert nats.flatten().tolist() == [0.0, 200.0]
    assert mean == 100.0
    np.testing.assert_allclose(d_bias[[4, 30]], [0.85, -0.85], rtol=1e-6)


def test_log_softmax():
    x = numbers((5, 77), 1, 30.0)
    agree([kernels.log_softmax(x)], [reference.log_softmax(double(x))])


# --- a whole model ---


DROPOUTS = {
    "plain": None,
    "dropout": kernels.Dropout(0.3, 5, 2),
    "hidden": kernels.Dropout(0.0, 5, 3, hidden=0.4),
    "output": kernels.Dropout(0.0, 5, 3, output=0.4),
    "weights": kernels.Dropout(0.0, 5, 3, weights=0.4),
    "all": kernels.Dropout(0.2, 5, 2, 0.3, 0.4, 0.5),
}


@pytest.mark.parametrize("dropout", DROPOUTS.values(), ids=DROPOUTS)
@pytest.mark.parametrize("cell", CELLS)
def test_loss_and_grads_of_a_model(cell, dropout):
    corpus = elman.Corpus("t", "abcdefghij", "none", "here")
    network = elman.build_model(corpus, cell=cell, hidden_size=21, num_layers=3, init_std=None).network
    ids, targets = integers((6, 4), 11, 1), integers((6, 4), 12, 2) - 1
    state = tuple(numbers((3, 4, 21), 3 + i) for i in range(network.cell.states))
    nats = np.empty(ids.shape, dtype=np.float32)
    mean, last, grads = kernels.loss_and_grads(network, ids, targets, state, dropout, nats)
    doubles = dataclasses.replace(
        network,
        layers=tuple(tuple(map(double, layer)) for layer in network.layers),  # type: ignore[arg-type]
        weight=double(network.weight),
        bias=double(network.bias),
    )
    exact = np.empty(ids.shape)
    want = reference.loss_and_grads(doubles, ids, targets, tuple(map(double, state)), dropout, exact)
    assert mean == pytest.approx(want[0], rel=TOLERANCE)
    agree([nats], [exact])
    agree(last, want[1])
    agree(grads, want[2])
    if cell == "lstm":
        mine, theirs = kernels.run_cells(network, ids, state), reference.run_cells(doubles, ids, state)
        agree([*mine[:2], *mine[2]], [*theirs[:2], *theirs[2]])


# --- dropout and the updates ---


def test_what_is_dropped_is_dropped_through_a_sequence():
    """A unit that is dropped at every step leaves no gradient of the weights that read it."""
    corpus = elman.Corpus("t", "abcdefghij", "none", "here")
    network = elman.build_model(corpus, cell="rnn_tanh", hidden_size=60, init_std=None).network
    ids, state = integers((9, 1), 11, 1), (numbers((1, 1, 60), 3),)
    drops = kernels.Dropout(0.0, 5, 0, output=0.5)
    grads = kernels.loss_and_grads(network, ids, ids, state, drops)[2]
    kept = kernels.dropout(np.ones(60, dtype=np.float32), 0.5, 5, 0) > 0
    assert np.array_equal((grads[4] != 0).any(0), kept)
    drops = kernels.Dropout(0.0, 5, 0, weights=0.5)
    grads = kernels.loss_and_grads(network, ids, ids, state, drops)[2]
    kept = kernels.dropout(np.ones((60, 60), dtype=np.float32), 0.5, 5, 0) > 0
    assert np.array_equal(grads[1] != 0, kept)
    assert drops.words(network, 9, 1) == {"p": 0, "hidden": 0, "output": 0, "weights": 3600}


def test_dropout_is_the_references_mask():
    for p, seed, offset in [(0.3, 5, 0), (0.5, 2**64 - 1, 7), (0.9, 2**63, 2**33 + 1)]:
        x = numbers((3, 5, 1001), 1)
        y = kernels.dropout(x, p, seed, offset)
        cases.same_bits([y], [reference.dropout(x, p, seed, offset)])
        assert abs(float((y == 0).mean()) - p) < 0.02
    assert np.array_equal(kernels.dropout(x, 0.0, 1, 2), x)
    assert kernels.dropout(np.zeros((0, 3), dtype=np.float32), 0.5, 1, 2).shape == (0, 3)


def test_philox_is_the_references():
    for seed, offset in [(0, 0), (2**63 + 5, 3), (7, 2**34 + 2)]:
        first, skip = divmod(offset, 4)
        words = masks.philox(seed, first, 20).reshape(-1)[skip : skip + 70]
        assert np.array_equal(cases.philox(seed, offset, 70), words)


def test_norm():
    grads = cases.arrays(3)
    assert kernels.grad_norm(grads) == pytest.approx(reference.grad_norm(grads), rel=1e-14)
    assert kernels.grad_norm([np.full(7, 3e38, dtype=np.float32)]) == pytest.approx(3e38 * 7**0.5, rel=1e-7)
    assert kernels.grad_norm([np.full(4, 1e-44, dtype=np.float32)]) == 2 * float(np.float32(1e-44))
    assert kernels.grad_norm([np.zeros(0, dtype=np.float32)]) == 0


def test_sgd_is_the_references_rounding():
    mine, theirs, grads = cases.arrays(1), cases.arrays(1), cases.arrays(9)
    _cpu.sgd(params=mine, grads=grads, lr=0.37, scale=0.81)
    optimisers.apply(theirs, grads, kernels.Update(0.37), 0.81, 1)
    cases.same_bits(mine, theirs)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adamw_follows_the_reference(decay):
    mine, m, v = cases.arrays(1), cases.arrays(1, 0.0), cases.arrays(1, 0.0)
    theirs, m64, v64 = ([double(a) for a in part] for part in (mine, m, v))
    for step in range(1, 11):
        grads = cases.arrays(100 * step, 2.0)
        cases.adamw(mine, grads, m, v, step, weight_decay=decay, scale=0.5)
        update = kernels.Update(0.01, None, m64, v64, step, decay)
        optimisers.apply(theirs, [double(g) for g in grads], update, 0.5, 1)
    agree([*mine, *m, *v], [*theirs, *m64, *v64])
