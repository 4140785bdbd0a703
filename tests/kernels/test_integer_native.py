"""The native integer kernels: the bits of the definition on every instruction set, with any threads, batch and cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from integers import CELLS, any_state, extreme, floats, same, text, uniform

from elman import kernels
from elman.kernels import integer, likelihood
from elman.model.integer import IntegerNetwork
from elman.model.rounding import to_integers

_cpu = pytest.importorskip("elman.kernels._cpu", reason="the native kernel is not built")
SIZES = [(1, 1, 1, 1), (1, 37, 44, 1), (2, 64, 33, 2), (3, 33, 5, 7), (2, 70, 50, 8), (1, 100, 70, 61)]  # L, H, V, B


def test_functions(integer_isa):
    x = np.arange(-(2**15), 2**15 - 5).astype(np.int16)
    y = np.empty_like(x)
    _cpu.integer_sigmoid(x=x, y=y)
    same([y], [integer.sigmoid(x)])
    _cpu.integer_tanh(x=x, y=y)
    same([y], [integer.tanh(x)])


@pytest.mark.parametrize("V", [1, 15, 16, 77, 4097])
def test_nats_and_log_softmax(integer_isa, V):
    logits, targets, nats = uniform((9, V), 1) * np.float32(35), text(9, 1, V)[:, 0].copy(), np.empty(9)
    logits[3] = 5.0
    _cpu.integer_nats(logits=logits, targets=targets, nats=nats)
    same([nats], [likelihood.nats(logits, targets)])
    likely = np.empty(logits.shape)
    _cpu.integer_log_softmax(logits=logits, y=likely)
    same([likely], [likelihood.log_softmax(logits)])
    same([-likely[np.arange(9), targets]], [nats])


@pytest.mark.parametrize(("bits", "scale"), [(8, 0.05), (8, 30.0), (4, 0.7)])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("cell", CELLS)
def test_reading_is_the_definitions(integer_isa, cell, sizes, bits, scale):
    L, H, V, B = sizes
    model = extreme(cell, L, H, V, bits=bits, scale=scale)
    T = 27 if B == 1 else 5  # more than are taken together
    ids, targets, state = text(T, B, V), text(T, B, V, 10), any_state(model, B)
    expected, last = integer.run(model.network, ids, state)
    for threads in (1, 2, 3, 5):
        _cpu.set_threads(threads)
        logits, after = model.run(ids, state)
        same((logits, *after), (expected, *last))
        nats, after = model.score(ids, targets, state)
        same((nats, *after), (likelihood.nats(expected, targets), *last))


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("cell", CELLS)
def test_a_team_of_threads_on_one_stream(integer_isa, cell, bits):
    """Weights enough that threads share a step's columns."""
    layers, output, _ = floats(cell, 2, 300, 44)
    ids = text(12, 2, 44)
    model = to_integers(cell, layers, output, bits=bits, ids=ids)
    expected, last = integer.run(model.network, ids, model.begin_state(2))
    for threads in (1, 2, 3, 5):
        _cpu.set_threads(threads)
        logits, after = model.run(ids)
        same((logits, *after), (expected, *last))


def test_four_bits_are_half_the_bytes_where_that_is_faster(integer_isa):
    eight, four = (extreme("gru", 2, 64, 44, bits=bits).native.bytes for bits in (8, 4))
    if integer_isa == "portable":  # plain loops take longer to unpack them than memory would
        assert four == eight
    else:
        assert four < 0.51 * eight


@pytest.mark.parametrize("cell", CELLS)
def test_embedding(integer_isa, cell):
    layers, output, E = floats(cell, 2, 40, 300, embedding=24)
    ids = text(9, 3, 300)
    model = to_integers(cell, layers, output, embedding=E, ids=ids)
    same([model.run(ids)[0]], [integer.run(model.network, ids, model.begin_state(3))[0]])


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("cell", CELLS)
def test_rows_and_cuts_change_nothing(cell, bits):
    model, ids = extreme(cell, 2, 45, 19, bits=bits), text(51, 26, 19)
    _cpu.set_threads(3)
    expected, last = model.run(ids)
    state, parts = model.begin_state(26), []
    for piece in (ids[:1], ids[1:1], ids[1:7], ids[7:]):
        logits, state = model.run(piece, state)
        parts.append(logits)
    same((np.concatenate(parts), *state), (expected, *last))
    for b in (0, 13, 25):
        same([model.run(ids[:, b : b + 1])[0][:, 0]], [expected[:, b]])
    rows = model.run(ids[:, 3:12])[0]
    same([rows], [np.ascontiguousarray(expected[:, 3:12])])


def weights_of(logits: np.ndarray, exponent: float) -> np.ndarray:
    """As elman.generation.choose: exp of the kernel, in float64 from there."""
    scaled = (logits - logits.max()) * np.float32(exponent)
    e = np.empty_like(scaled)
    _cpu.exp(x=scaled, y=e)
    return e.astype(np.float64)


@pytest.mark.parametrize(("exponent", "bits"), [(-1.0, 8), (1.0, 8), (0.7, 4)])
@pytest.mark.parametrize("cell", CELLS)
def test_generation(integer_isa, cell, exponent, bits):
    """Greedy and sampled: the ids of the plain loop, and the logits and states after them, over threads and cuts."""
    B, steps, V = 9, 14, 44
    model = extreme(cell, 2, 37, V, bits=bits, scale=0.05)
    draws = np.abs(uniform((steps, B), 4).astype(np.float64)) * 0.999
    decoder: Any = model.decoder(model.begin_state(B))
    decoder.read(text(3, B, V))
    h, *c = (part.copy() for part in decoder.state)
    state = integer.IntegerState(h, c[0] if c else None)
    chosen, logits = [], decoder.logits.copy()
    for t in range(steps):
        if exponent < 0:
            ids = logits.argmax(axis=1)
        else:
            sums = [np.cumsum(weights_of(row, exponent)) for row in logits]
            ids = np.array([np.searchsorted(s, u * s[-1], side="right") for s, u in zip(sums, draws[t], strict=True)])
        chosen.append(ids)
        after, state = integer.run(model.network, ids[None], state)
        logits = after[-1]
    expected = np.stack(chosen)
    for threads, cuts in ((1, (steps,)), (3, (1, 0, 8, 5))):
        _cpu.set_threads(threads)
        decoder: Any = model.decoder(model.begin_state(B))
        decoder.read(text(3, B, V))
        made, at = [], 0
        for n in cuts:
            part = np.ascontiguousarray(draws[at : at + n])
            made.append(decoder.generate(n, None, exponent, None if exponent < 0 else part))
            at += n
        assert (np.concatenate(made) == expected).all()
        same((decoder.logits, *decoder.state), (logits, *(part for part in state if part is not None)))


@pytest.mark.parametrize("cell", CELLS)
def test_without_the_native_kernels(cell):
    model, ids = extreme(cell, 1, 20, 9), text(6, 3, 9)
    expected = model.run(ids), model.score(ids, ids)
    plain = IntegerNetwork(model.network)
    with kernels.use("reference"):
        for (a, state), (b, other) in zip((plain.run(ids), plain.score(ids, ids)), expected, strict=True):
            same((a, *state), (b, *other))
        decoder = plain.decoder(plain.begin_state(3))
        decoder.read(ids)
        same([decoder.logits], [expected[0][0][-1]])
        assert not hasattr(decoder, "generate")


def test_several_callers_at_once():
    from concurrent.futures import ThreadPoolExecutor

    model, ids = extreme("lstm", 2, 64, 44), text(20, 20, 44)
    expected = model.run(ids)[0]
    with ThreadPoolExecutor(4) as threads:
        for logits, _ in threads.map(model.run, [ids] * 12):
            same([logits], [expected])


def test_what_is_refused():
    model = extreme("gru", 1, 8, 5)
    with pytest.raises(IndexError, match=r"token ids must be in 0\.\.4, got 5 at position 3"):
        model.run(np.array([[0, 1], [2, 5]]))
    with pytest.raises(ValueError, match="state has B=2 but ids has B=3"):
        model.run(np.zeros((1, 3), np.int64), model.begin_state(2))
    with pytest.raises(RuntimeError, match="ELMAN_INTEGER_ISA is 'mmx'; this machine can run"):
        _cpu.set_integer_isa("mmx")
    q, one = np.full((1, 1), -128, np.int8), np.ones(1, np.float32)
    good = {"cell": 1, "inputs": np.zeros((1, 1), np.int32), "w_out": -q - 1, "scale_out": one, "b_out": one}
    for layer, match in (((None, None, q, one, None, None), "a weight is -128"),
                         ((None, None, -q - 1, -one, None, None), "a scale is"),
                         ((None, None, -q - 1, one * np.float32(1e5), None, None), "a scale is too large"),
                         ((None, None, -q - 1, one * np.float32(np.nan), None, None), "not a number")):  # fmt: skip
        with pytest.raises(ValueError, match=match):
            _cpu.IntegerNetwork(**good, layers=[layer])
