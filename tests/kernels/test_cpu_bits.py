"""The arithmetic contract: the same bits for any instruction set, number of threads, cutting in time, and batch."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cases
import numpy as np
import pytest
from cases import CELLS, ISAS, OPERATIONS, RECIPES, Array, _cpu, run_layer, same_bits
from command_line import PATIENCE
from inputs import integers, layer_inputs, numbers

import elman
from elman import kernels
from elman.training.optimiser import Optimiser

THREADS = (1, 2, 3, 5)


@pytest.fixture(scope="module")
def expected() -> dict[str, list[Array]]:
    """What every operation gives with the processor's own instruction set and one thread."""
    _cpu.set_threads(1)
    return {name: operation() for name, operation in OPERATIONS.items()}


@pytest.mark.slow
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("threads", THREADS)
def test_operations(isa, threads, expected):
    cases.use_isa(isa)
    _cpu.set_threads(threads)
    for name, operation in OPERATIONS.items():
        for i, (a, b) in enumerate(zip(operation(), expected[name], strict=True)):
            assert cases.digest([a]) == cases.digest([b]), f"{name}, array {i}"


@pytest.fixture(scope="module")
def trained() -> dict[str, tuple[str, str]]:
    _cpu.set_threads(1)
    return {name: _train(name) for name in RECIPES}


def _train(name: str) -> tuple[str, str]:
    model = cases.train(name)
    return model.digest(), cases.text(model)


@pytest.mark.slow
@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("isa", ISAS)
def test_a_training_run_and_a_text(isa, threads, trained):
    cases.use_isa(isa)
    _cpu.set_threads(threads)
    for name in RECIPES:
        assert _train(name) == trained[name], name


def test_the_comparison_can_fail(expected):
    """One bit of one input must show."""
    x, state, weights, cotangents = layer_inputs("gru", 7, 5, 13, 37)
    x[0, 0, 0] = np.nextafter(x[0, 0, 0], np.float32(9.0))
    outputs, grads = run_layer("gru", x, state, weights, cotangents)
    with pytest.raises(AssertionError, match="elements differ"):
        same_bits([*outputs, *grads], expected["gru real"])


# --- time ---


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("ids", [True, False])
@pytest.mark.parametrize("cuts", [(0, 9), (0, 1, 9), (0, 4, 5, 9), tuple(range(10))], ids=str)
def test_one_long_call_equals_many_short_ones(cell, ids, cuts):
    x, state, weights, _ = layer_inputs(cell, 9, 6, 11, 35, ids=ids)
    whole, last = kernels.recurrent(kernels.CELLS[cell], x, state, weights)
    pieces = []
    for a, b in itertools.pairwise(cuts):
        piece, state = kernels.recurrent(kernels.CELLS[cell], x[a:b], state, weights)
        pieces.append(piece)
    same_bits([np.concatenate(pieces), *state], [whole, *last])


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("ids", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_backward_in_pieces_equals_backward_at_once(cell, ids, threads):
    """The weight gradients are sums over time from the end: the calls for earlier steps add to those of later ones."""
    _cpu.set_threads(threads)
    T, B, I, H = 9, 6, 11, 35  # noqa: E741
    x, state, weights, (d_out, *d_last) = layer_inputs(cell, T, B, I, H, ids=ids)
    whole = run_layer(cell, x, state, weights, [d_out, *d_last])[1]
    runs = []
    for a, b in [(0, 2), (2, 3), (3, 9)]:
        runs.append((a, b, cases.forward(cell, x[a:b], state, weights)))
        state = tuple(runs[-1][2][name] for name in ("hn", "cn")[: len(state)])

    grads, d_x, d_state = None, [], d_last
    for a, b, run in reversed(runs):
        part = cases.backward(run, d_out[a:b], d_state, grads)
        if not ids:
            d_x.insert(0, part.pop(0))
        d_state, grads = part[: len(d_last)], part[len(d_last) :]
    assert grads is not None
    same_bits([*([] if ids else [np.concatenate(d_x)]), *d_state, *grads], whole)


# --- the batch ---


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("ids", [True, False])
def test_a_row_alone_equals_the_row_in_a_batch(cell, ids):
    x, state, weights, cotangents = layer_inputs(cell, 6, 19, 11, 35, ids=ids)
    outputs, grads = run_layer(cell, x, state, weights, cotangents)
    rows = [0, 7, 18]
    for row in rows:
        one = slice(row, row + 1)
        alone, alone_grads = run_layer(
            cell, x[:, one], tuple(s[one] for s in state), weights, [c[..., one, :] for c in cotangents]
        )
        same_bits(alone, [o[..., one, :] for o in outputs])
        by_row = len(state) + (0 if ids else 1)  # the gradients of x and of the states
        same_bits(alone_grads[:by_row], [g[..., one, :] for g in grads[:by_row]])


def test_a_row_alone_in_the_dense_operations():
    x, weight, bias, targets = cases.loss_inputs(5, 19, 33, 77)
    y = kernels.linear(x, weight, bias)
    _, nats = kernels.cross_entropy(x, weight, bias, targets)
    for t, row in [(0, 0), (2, 8), (4, 18)]:
        one = slice(row, row + 1)
        same_bits([kernels.linear(x[t, one], weight, bias)], [y[t, one]])
        alone = kernels.cross_entropy(x[t : t + 1, one], weight, bias, targets[t : t + 1, one])[1]
        same_bits([alone], [nats[t : t + 1, one]])


def test_ids_equal_the_columns_they_stand_for():
    """The look-up of a bias plus a column, per id and per position: which of them serves must not show."""
    x, state, weights, _ = layer_inputs("gru", 4, 3, 13, 21, ids=True)  # 12 positions, 13 ids: by position
    gru = kernels.CELLS["gru"]
    fewer, _ = kernels.recurrent(gru, x[:2], state, weights)
    more, _ = kernels.recurrent(gru, np.concatenate((x, x)), state, weights)  # by id
    same_bits([fewer], [more[:2]])


def test_kept_logits_or_not_is_the_same():
    inputs = cases.loss_inputs(7, 5, 33, 45)
    same_bits(cases.run_loss(*inputs, keep=False), cases.run_loss(*inputs))


def test_a_large_vocabulary_is_multiplied_once():
    """Above 2^22 logits, which are not kept, the loss comes from the pass backward: with the same bits."""
    V, H, T, B = 70_000, 4, 31, 2
    ids, targets = integers((T, B), V, 1), integers((T, B), V, 2)
    layer = numbers((H, V), 1), numbers((H, H), 2), numbers((H,), 3), numbers((H,), 4)
    network = kernels.ModelWeights(kernels.CELLS["rnn_tanh"], (layer,), numbers((V, H), 5), numbers((V,), 6))
    nats, state = np.empty((T, B), dtype=np.float32), network.begin_state(B)
    mean, _, grads = kernels.loss_and_grads(network, ids, targets, state, nats=nats)
    hidden, _ = kernels.run(network, ids, state)
    want, of_each = kernels.cross_entropy(hidden, network.weight, network.bias, targets)
    assert mean == want
    same_bits([nats], [of_each])
    assert np.isfinite(grads[-1]).all()
    assert grads[-1].any()


@pytest.mark.parametrize("name", RECIPES)
def test_a_step_is_its_operations(name):
    """One native call for a step, against the gradients, norms and update of the operations called one by one."""
    recipe = elman.Recipe(**RECIPES[name], hidden_size=21, seed=4)
    corpus = elman.Corpus("t", "abcdefghij" * 3, "none", "here")
    whole, apart = elman.build_model(corpus, recipe), elman.build_model(corpus, recipe)
    ids, targets = integers((6, 5), 11, 1), integers((6, 5), 12, 2) - 1
    stepper, of_whole, of_apart = (
        kernels.stepper(whole.network),
        *(Optimiser(m.network, recipe) for m in (whole, apart)),
    )
    state = apart.begin_state(5)
    for step in (1, 2, 3):
        dropout = kernels.Dropout(recipe.dropout, 9, 1000 * step) if recipe.dropout else None
        result = stepper.step(ids, targets, step == 1, dropout, of_whole.next(recipe.lr))
        loss, state, grads = apart.loss_and_grads(ids, targets, state, dropout)
        norm, each = kernels.grad_norm(grads), len(apart.layer.parameters()) // recipe.num_layers
        first = len(grads) - each * recipe.num_layers - 2  # 1 with an embedding, whose norm is in the first layer's
        cuts = [0, *(first + i * each for i in range(1, recipe.num_layers + 1)), len(grads)]
        parts = [grads[a:b] for a, b in itertools.pairwise(cuts)]
        assert (result.loss, result.norm) == (loss, norm)
        assert result.layer_norms == [kernels.grad_norm(part) for part in parts]
        assert kernels.update(apart.network, grads, of_apart.next(recipe.lr)) == (norm, result.layer_norms)
        same_bits(whole.parameters(), apart.parameters())
        same_bits(of_whole.average, of_apart.average)
        of_whole.done()
        of_apart.done()


@pytest.mark.parametrize("cell", CELLS)
def test_an_embedding_is_a_layer_of_real_numbers(cell):
    """Forward, the bits of a layer that reads the rows themselves; back, its d_x added up, t falling and b rising."""
    T, B, V, E, H = 7, 5, 13, 37, 21
    _, state, weights, _ = layer_inputs(cell, T, B, E, H)
    ids, targets = integers((T, B), V - 2, 50), integers((T, B), V, 51)
    embedding, w_out, b_out = (numbers(s, 60 + i) for i, s in enumerate([(V, E), (V, H), (V,)]))
    network = kernels.ModelWeights(kernels.CELLS[cell], (weights,), w_out, b_out, embedding)
    before = tuple(part[None] for part in state)
    ran = cases.forward(cell, embedding[ids], state, weights)
    hidden, last = kernels.run(network, ids, before)
    same_bits([hidden, last[0][0]], [ran["out"], ran["hn"]])
    d_hidden = cases.unset(hidden.shape)
    saved = cases.unset((T, B, V))
    given: dict[str, Any] = {"hidden": hidden, "w": w_out, "b": b_out, "targets": targets}
    _cpu.cross_entropy(**given, nats=cases.unset((T, B)), saved=saved)
    _cpu.cross_entropy_backward(**given, saved=saved, d_mean=1.0, d_hidden=d_hidden, d_w=None, d_b=None)
    d_x, *rest = cases.backward(ran, d_hidden, [None] * len(state))
    want = np.zeros_like(embedding)
    for t in reversed(range(T)):
        for b in range(B):
            want[ids[t, b]] += d_x[t, b]
    _, _, grads = kernels.loss_and_grads(network, ids, targets, before)
    same_bits(grads[:5], [want, *rest[-4:]])
    assert not grads[0][V - 2 :].any()  # of tokens that did not occur


@pytest.mark.parametrize("batch_size", [1, 3, 19])
def test_an_embedding_read_token_by_token(batch_size):
    reading = elman.Corpus("t", "abcdefghij" * 3, "none", "here").reading()
    embedding = elman.model.Embedding(len(reading), 37)
    model = elman.LanguageModel(elman.LSTM(37, 130, 2), reading, embedding=embedding)
    ids = integers((6, batch_size), len(reading), 1)
    decoder = kernels.decoder(model.network, batch_size)
    for t in range(6):
        decoder.read(ids[t : t + 1])
        same_bits([decoder.logits], [model(ids)[0][t]])
    embedding.weight = embedding.weight * 2  # packed anew
    decoder = kernels.decoder(model.network, batch_size)
    decoder.read(ids)
    same_bits([decoder.logits], [model(ids)[0][-1]])


def test_dropout_is_a_part_of_one_stream():
    x = numbers((40_001,), 3)
    whole = kernels.dropout(x, 0.4, 11, 5)
    same_bits([kernels.dropout(x[12_345:30_000], 0.4, 11, 5 + 12_345)], [whole[12_345:30_000]])


def test_math_does_not_depend_on_the_neighbours():
    x = numbers((37,), 4, 30.0)
    for name in ("exp", "log", "tanh", "sigmoid"):
        alone = [cases.math(name, abs(x[i : i + 1])) for i in range(37)]
        same_bits([np.concatenate(alone)], [cases.math(name, abs(x))])


# --- what else goes on in the process ---


def test_denormals_are_kept():
    """tests/torch does this with torch's flag set."""
    x = np.tile(np.array([1e-40, -3e-39, 1.0], dtype=np.float32), 16)
    y = cases.math("exp", x - np.float32(100.0))
    assert ((y != 0) & (y < 1.2e-38)).any()
    assert (cases.math("tanh", x)[::3] == x[::3]).all()


def test_concurrent_calls():
    """One caller has the pool, the other computes alone."""
    _cpu.set_threads(2)
    expected = cases.digest(OPERATIONS["lstm long"]())

    def work(_: int) -> set[str]:
        return {cases.digest(OPERATIONS["lstm long"]()) for _ in range(40)}

    with ThreadPoolExecutor(2) as pool:
        assert set.union(*pool.map(work, range(2))) == {expected}


_FORK = """
import os, sys
sys.path[:0] = sys.argv[1:]
import cases
cases._cpu.set_threads(3)
before = cases.digest(cases.OPERATIONS["gru long"]())
child = os.fork()
if child == 0:
    cases._cpu.set_threads(3)
    os._exit(0 if cases.digest(cases.OPERATIONS["gru long"]()) == before else 3)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
assert status == 0, status
assert cases.digest(cases.OPERATIONS["gru long"]()) == before
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child():
    """The threads of the pool do not survive a fork: the child must start its own, not wait for them."""
    here = os.path.dirname(__file__)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _FORK, here, os.path.dirname(here)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
