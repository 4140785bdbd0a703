"""The arithmetic contract: the same bits for any instruction set, number of threads, cutting in time, and batch."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cases
import pytest
import torch
from cases import CELLS, ISAS, OPERATIONS, RECIPES, _cpu, cpu, layer_inputs, numbers, run_layer, same_bits
from torch import Tensor

from elman import kernels

THREADS = (1, 2, 3, 5)


@pytest.fixture(scope="module")
def expected() -> dict[str, list[Tensor]]:
    """What every operation gives with the processor's own instruction set and one thread."""
    _cpu.set_threads(1)
    return {name: operation() for name, operation in OPERATIONS.items()}


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("threads", THREADS)
def test_operations(isa, threads, expected):
    cases.use_isa(isa)
    _cpu.set_threads(threads)
    for name, operation in OPERATIONS.items():
        for i, (a, b) in enumerate(zip(operation(), expected[name], strict=True)):
            assert cases.digest([a]) == cases.digest([b]), f"{name}, tensor {i}"


@pytest.fixture(scope="module")
def trained() -> dict[str, tuple[str, str]]:
    _cpu.set_threads(1)
    return {name: _train(name) for name in RECIPES}


def _train(name: str) -> tuple[str, str]:
    model = cases.train(name)
    return model.digest(), cases.text(model)


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
    x[0, 0, 0] = torch.nextafter(x[0, 0, 0], torch.tensor(9.0))
    outputs, grads = run_layer("gru", x, state, weights, cotangents)
    with pytest.raises(AssertionError, match="elements differ"):
        same_bits([*outputs, *grads], expected["gru real"])


# --- time ---


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("ids", [True, False])
@pytest.mark.parametrize("cuts", [(0, 9), (0, 1, 9), (0, 4, 5, 9), tuple(range(10))], ids=str)
def test_one_long_call_equals_many_short_ones(cell, ids, cuts):
    x, state, weights, _ = layer_inputs(cell, 9, 6, 11, 35, ids=ids)
    whole, last = kernels.recurrent(cell, x, state, weights)
    pieces = []
    for a, b in itertools.pairwise(cuts):
        piece, state = kernels.recurrent(cell, x[a:b], state, weights)
        pieces.append(piece)
    same_bits([torch.cat(pieces), *state], [whole, *last])


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("ids", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_backward_in_pieces_equals_backward_at_once(cell, ids, threads):
    """The weight gradients are sums over time from the end: the calls for earlier steps add to those of later ones."""
    _cpu.set_threads(threads)
    T, B, I, H = 9, 6, 11, 35  # noqa: E741
    x, state, weights, (d_out, *d_last) = layer_inputs(cell, T, B, I, H, ids=ids)
    whole = run_layer(cell, x, state, weights, [d_out, *d_last])[1]

    lstm = cell == "lstm"
    h, c = state[0], state[1] if lstm else None
    calls = []
    for a, b in [(0, 2), (2, 3), (3, 9)]:
        out, hn, cn, gates, cells = torch.ops.elman.recurrent(cpu.CELLS[cell], x[a:b], h, c, *weights, True)
        calls.append((a, b, h, c, out, gates, cells))
        h, c = hn, cn if lstm else None

    grads = [torch.full_like(w, torch.nan) for w in weights if w is not None]
    d_x, d_h, d_c = torch.empty(T, B, I), d_last[0], d_last[1] if lstm else None
    for first, (a, b, h, c, out, gates, cells) in enumerate(reversed(calls)):
        new_h, new_c = torch.empty(B, H), torch.empty(B, H) if lstm else None
        part = x[a:b].contiguous()
        d_part = None if ids else d_x[a:b]
        _cpu.backward(
            cpu.CELLS[cell], b - a, B, I, H, part.data_ptr() if ids else 0, 0 if ids else part.data_ptr(),
            *(cpu._address(t) for t in (h, c, *weights[:2], out, gates, cells, d_out[a:b].contiguous(), d_h, d_c)),
            *(cpu._address(t) for t in (d_part, new_h, new_c, *grads)), first > 0,
        )  # fmt: skip
        d_h, d_c = new_h, new_c
    pieces = [*([] if ids else [d_x]), d_h, *([d_c] if lstm else []), *grads]
    same_bits([t for t in pieces if t is not None], whole)


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
            cell, x[:, one], [s[one] for s in state], weights, [c[..., one, :] for c in cotangents]
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
        same_bits([kernels.cross_entropy(x[t, one], weight, bias, targets[t, one])[1]], [nats[t, one]])


def test_ids_equal_the_columns_they_stand_for():
    """The look-up of a bias plus a column, per id and per position: which of them serves must not show."""
    x, state, weights, _ = layer_inputs("gru", 4, 3, 13, 21, ids=True)  # 12 positions, 13 ids: by position
    fewer, _ = kernels.recurrent("gru", x[:2], state, weights)
    more, _ = kernels.recurrent("gru", torch.cat((x, x)), state, weights)  # by id
    same_bits([fewer], [more[:2]])


def test_kept_logits_or_not_is_the_same(monkeypatch):
    inputs = cases.loss_inputs(7, 5, 33, 45)
    kept = cases.run_loss(*inputs)
    monkeypatch.setattr(cpu, "_KEPT_LOGITS", 0)
    same_bits(cases.run_loss(*inputs), kept)


def test_dropout_is_a_part_of_one_stream():
    x = numbers((40_001,), 3)
    whole = kernels.dropout(x, 0.4, 11, 5)
    same_bits([kernels.dropout(x[12_345:30_000], 0.4, 11, 5 + 12_345)], [whole[12_345:30_000]])


def test_math_does_not_depend_on_the_neighbours():
    x = numbers((37,), 4, 30.0)
    for f in range(4):
        same_bits([torch.cat([cases.math(f, x[i : i + 1]) for i in range(37)])], [cases.math(f, x)])


# --- what else goes on in the process ---


def test_flush_denormal_does_not_matter():
    x = torch.tensor([1e-40, -3e-39, 1.0]).repeat(16)
    weight = numbers((48, 48), 5)

    def results() -> list[Tensor]:
        return [cases.math(2, x), cases.math(0, x - 100.0), kernels.linear(x[None], weight, None)]

    before = results()
    assert ((before[1] != 0) & (before[1] < 1.2e-38)).any()  # so denormals do occur
    assert torch.set_flush_denormal(True)
    try:
        # A fresh thread of torch's keeps the flag; the kernel sets its own and puts torch's back.
        after = results()
        assert (torch.tensor(1e-40) * 1.0).item() == 0
    finally:
        torch.set_flush_denormal(False)
    same_bits(after, before)


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
sys.path.insert(0, sys.argv[1])
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
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _FORK, os.path.dirname(__file__)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
