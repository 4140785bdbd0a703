"""The border to C++: every size, type and layout is compared there; what does not fit is refused before it runs."""

# These calls are wrong on purpose.
# pyright: reportArgumentType=false, reportCallIssue=false
from __future__ import annotations

import gc
import threading
from typing import Any

import cases
import numpy as np
import pytest
from cases import CELLS, _cpu
from inputs import layer_inputs, numbers

import elman
from elman import kernels
from elman.kernels import handles, reference


def arguments(cell: str = "lstm", **sizes: int) -> dict[str, Any]:
    """Those of a right call of `_cpu.recurrent`."""
    x, state, weights, _ = layer_inputs(cell, **({"T": 3, "B": 4, "I": 6, "H": 9} | sizes))
    return cases.forward(cell, x, state, weights)


@pytest.mark.parametrize("name", ["x", "h0", "c0", "w_ih", "w_hh", "b_ih", "b_hh", "out", "hn", "cn", "gates", "cells"])
def test_each_array_of_a_layer_is_compared(name):
    right = arguments()
    array = right[name]
    wrong: dict[str, Any] = {
        "a row too few": array[:-1],
        "a row too many": np.concatenate((array, array[:1])),
        "another type": array.astype(np.float64),
        "not contiguous": np.repeat(array, 2, axis=-1)[..., ::2],
        "another number of axes": array[None],
        "no array": 5,
    }
    for value in wrong.values():
        with pytest.raises(ValueError, match=r"expected float32|contiguous|buffer|bytes-like"):
            _cpu.recurrent(**(right | {name: value}))
    if name not in ("gates", "cells"):  # which may be left out
        with pytest.raises((ValueError, TypeError), match=r"incompatible|goes with|both biases|give either"):
            _cpu.recurrent(**(right | {name: None}))


def test_what_does_not_go_together():
    right, gru = arguments(), arguments("gru")
    for changes, message in (
        ({"ids": np.zeros((3, 4), dtype=np.int64)}, "give either ids or x"),
        ({"cell": 4}, r"cell must be in 0\.\.3"),
        ({"cell": -1}, r"cell must be in 0\.\.3"),
        ({"b_ih": None}, "give both biases or neither"),
        ({"out": right["cells"]}, "shares memory with another array"),
        ({"hn": right["h0"]}, "shares memory with another array"),
    ):
        with pytest.raises(ValueError, match=message):
            _cpu.recurrent(**(right | changes))
    with pytest.raises(ValueError, match="c0 goes with an LSTM and with no other cell"):
        _cpu.recurrent(**(gru | {"c0": right["c0"]}))
    with pytest.raises(ValueError, match=r"cells are? missing|cells go with an LSTM"):
        cases.backward(right | {"cells": None}, None, (None, None))
    with pytest.raises(ValueError, match="gates are missing"):
        cases.backward(gru | {"gates": None}, None, (None,))
    with pytest.raises(ValueError, match=r"gates .*expected float32 \(3, 4, 36\)"):
        cases.backward(gru | {"gates": right["gates"][:2]}, None, (None,))


@pytest.mark.parametrize("size", ["I", "H"])
def test_a_layer_without_inputs_or_units_is_refused(size):
    I, H = (0, 9) if size == "I" else (6, 0)  # noqa: E741
    x, state = np.zeros((3, 4, I), dtype=np.float32), (np.zeros((4, H), dtype=np.float32),)
    weights = (np.zeros((3 * H, I), dtype=np.float32), np.zeros((3 * H, H), dtype=np.float32), None, None)
    with pytest.raises(ValueError, match="H and I must be at least 1"):
        kernels.recurrent(kernels.CELLS["gru"], x, state, weights)


def test_a_vocabulary_of_nothing_is_refused():
    hidden, targets = numbers((3, 4, 5), 1), np.full((3, 4), -1)
    with pytest.raises(ValueError, match="V and H must be at least 1"):
        kernels.cross_entropy(hidden, np.zeros((0, 5), dtype=np.float32), None, targets)


def test_ids_outside_the_vocabulary():
    x, state, weights, _ = layer_inputs("gru", 3, 4, 6, 19, ids=True)
    for bad in (6, -1):
        x[1, 2] = bad
        with pytest.raises(IndexError, match=rf"^token ids must be in 0\.\.5, got {bad} at position 6$"):
            kernels.recurrent(kernels.CELLS["gru"], x, state, weights)
    hidden, weight, bias, targets = cases.loss_inputs(3, 4, 9, 21)
    targets[2, 3] = 21
    with pytest.raises(IndexError, match=r"^targets must be in -1\.\.20, got 21 at position 11$"):
        kernels.cross_entropy(hidden, weight, bias, targets)


def test_lists_of_unequal_length_or_sizes():
    params, grads = cases.arrays(1), cases.arrays(2)
    for wrong in (grads[:-1], [*grads, grads[0]]):
        with pytest.raises(ValueError, match="lists of unequal length"):
            _cpu.sgd(params=params, grads=wrong, lr=0.1, scale=1.0)
    with pytest.raises(ValueError, match=r"grads .*expected float32 \(70001\)"):
        _cpu.sgd(params=params, grads=[grads[0], grads[1][:-1], *grads[2:]], lr=0.1, scale=1.0)
    with pytest.raises(ValueError, match="unequal length"):
        cases.adamw(params, grads, cases.arrays(3)[:2], cases.arrays(4), 1)
    for step in (0, -1):
        with pytest.raises(ValueError, match="step counts from 1"):
            cases.adamw(params, grads, cases.arrays(3), cases.arrays(4), step)
    with pytest.raises(ValueError, match="shares memory"):
        _cpu.sgd(params=[params[0], params[0]], grads=[grads[0], grads[0]], lr=0.1, scale=1.0)
    cases.same_bits(params, cases.arrays(1))  # nothing was changed


def test_element_by_element():
    x = numbers((7,), 1)
    for call in (
        lambda: _cpu.exp(x=x, y=np.empty(6, dtype=np.float32)),
        lambda: _cpu.exp(x=x.astype(np.float64), y=x.copy()),
        lambda: _cpu.exp(x=x, y=x),
        lambda: _cpu.dropout(x=x, y=np.empty(8, dtype=np.float32), p=0.5, seed=1, offset=0),
        lambda: _cpu.dropout(x=x, y=x.copy(), p=1.0, seed=1, offset=0),
        lambda: _cpu.dropout(x=x, y=x.copy(), p=-0.1, seed=1, offset=0),
        lambda: _cpu.philox(words=np.empty(4, dtype=np.int32), seed=1, offset=0),
        lambda: _cpu.set_threads(0),
    ):
        with pytest.raises(ValueError, match=r"expected|shares memory|must be in"):
            call()
    read_only = x.copy()
    read_only.flags.writeable = False
    with pytest.raises(ValueError, match="y"):
        _cpu.exp(x=x, y=read_only)


# --- a model ---


def network(cell: str = "gru", num_layers: int = 2) -> kernels.ModelWeights:
    corpus = elman.Corpus("t", "abcdefghij", "none", "here")
    return elman.build_model(corpus, cell=cell, hidden_size=9, num_layers=num_layers, init_std=None).network


def native(net: kernels.ModelWeights, **changes: Any) -> _cpu.Network:
    given: dict[str, Any] = {"cell": net.cell.code, "layers": list(net.layers)}
    return _cpu.Network(**(given | {"w_out": net.weight, "b_out": net.bias} | changes))


def test_the_weights_of_a_model_are_compared():
    net = network()
    first, second = net.layers
    for changes, message in (
        ({"layers": []}, "at least one layer"),
        ({"layers": [second, second]}, "w_ih"),
        ({"layers": [first, first]}, "w_ih|shares memory"),
        ({"layers": [first, (*second[:2], None, None)]}, "both biases of every layer or none"),
        ({"layers": [first, (*second[:3], None)]}, "both biases of every layer or none"),
        ({"w_out": net.weight[:, :-1].copy()}, "w_ih|w_hh"),
        ({"b_out": net.weight[:, 0]}, "b_out"),
        ({"cell": 3}, "w_ih"),
    ):
        with pytest.raises(ValueError, match=message):
            native(net, **changes)


@pytest.mark.parametrize("cell", CELLS)
def test_the_arrays_of_a_step_are_compared(cell):
    net, ids = network(cell), np.ones((5, 3), dtype=np.int64)
    handle = native(net)
    h, c = np.zeros((2, 3, 9), dtype=np.float32), np.zeros((2, 3, 9), dtype=np.float32) if cell == "lstm" else None
    grads = [np.zeros(w.size, dtype=np.float32) for w in net.weights()]
    none = (0.0, 0.0, 0.0, 0.0, 0, 0)
    right = {"ids": ids, "targets": ids, "h": h, "c": c, "dropout": none, "grads": grads}
    handle.loss_and_grads(**right)  # type: ignore[arg-type]
    for changes, message in (
        ({"ids": ids[:4]}, "targets"),
        ({"targets": ids[:, :2].copy()}, "targets"),
        ({"h": h[:1]}, "h"),
        ({"h": h[:, :2].copy()}, "h"),
        ({"c": h if cell != "lstm" else None}, "goes with an LSTM|shares memory"),
        *(({"dropout": (*none[:i], 1.0, *none[i + 1 :])}, "p must be in") for i in range(4)),
        ({"grads": grads[:-1]}, "a gradient for each weight"),
        ({"grads": [*grads[:-1], grads[0]]}, "grads"),
    ):
        with pytest.raises(ValueError, match=message):
            handle.loss_and_grads(**(right | changes))
    with pytest.raises(IndexError, match=r"token ids must be in 0\.\.10"):
        handle.loss_and_grads(**(right | {"ids": ids + 10}))  # type: ignore[arg-type]
    step = {name: right[name] for name in ("ids", "targets", "h", "c", "dropout")} | {
        "lr": 0.1, "clip": 1.0, "exp_avg": [], "exp_avg_sq": [], "step": 1, "weight_decay": 0.0, "beta1": 0.9,
        "beta2": 0.999, "eps": 1e-8, "muon": [], "momentum": 0.0, "average": [], "average_keep": 0.0,
    }  # fmt: skip
    for changes, message in (
        ({"step": 0}, "step counts from 1"),
        ({"exp_avg": grads}, "averages for each weight, or none"),
        ({"exp_avg": grads[:1], "exp_avg_sq": grads[1:2]}, "averages for each weight, or none"),
    ):
        with pytest.raises(ValueError, match=message):
            handle.step(**(step | changes))


def test_a_decoder_compares_its_arrays_and_ids():
    net = network("lstm")
    packed = _cpu.Packed(native(net))
    h, c, logits = (np.zeros(s, dtype=np.float32) for s in ((2, 3, 9), (2, 3, 9), (3, 11)))
    for changes in ({"h": h[:1]}, {"c": None}, {"c": c[:, :2].copy()}, {"logits": logits[:2]}, {"c": h}):
        with pytest.raises(ValueError, match=r"h|c|logits"):
            _cpu.Decoder(packed, **({"h": h, "c": c, "logits": logits} | changes))  # type: ignore[arg-type]
    decoder = _cpu.Decoder(packed, h=h, c=c, logits=logits)
    with pytest.raises(ValueError, match=r"ids .*expected int64 \(any, 3\)"):
        decoder.read(np.ones((5, 2), dtype=np.int64))
    with pytest.raises(IndexError, match="token ids"):
        decoder.read(np.full((5, 3), 11))
    ids, plain = np.empty((4, 3), dtype=np.int64), {"bias": None, "exponent": 1.0, "draws": np.zeros((4, 3))}
    for changes in ({"draws": None}, {"draws": np.zeros((3, 3))}, {"bias": logits[0, :9].copy()}, {"top_k": -1},
                    {"seen": np.zeros((2, 11), dtype=np.uint8)}):  # fmt: skip
        with pytest.raises(ValueError, match=r"draws|bias|top_k|seen"):
            decoder.generate(ids=ids, **(plain | changes))  # type: ignore[arg-type]
    assert decoder.generate(ids=ids, **plain)  # type: ignore[arg-type]


def test_no_rows_and_no_steps():
    net = network()
    nobody = kernels.decoder(net, 0)
    nobody.read(np.ones((2, 0), dtype=np.int64))
    hidden, state = kernels.run(net, np.ones((0, 3), dtype=np.int64), net.begin_state(3))
    assert hidden.shape == (0, 3, 9)
    assert not state[0].any()
    assert kernels.run(net, np.ones((4, 0), dtype=np.int64), net.begin_state(0))[0].shape == (4, 0, 9)
    mean, _, grads = kernels.loss_and_grads(net, *[np.ones((0, 3), dtype=np.int64)] * 2, net.begin_state(3))
    assert np.isnan(mean)
    assert not any(g.any() for g in grads)


def test_the_weights_outlive_their_arrays():
    """The native model holds its buffers: the arrays may go, and cannot be resized under it."""
    net = network()
    handle, weight = native(net), net.weight
    before = handle.fingerprint()
    with pytest.raises(ValueError, match="resize"):
        weight.resize((1, 1))
    del net, weight
    gc.collect()
    np.full((11, 9), 7.0, dtype=np.float32)
    assert handle.fingerprint() == before


def test_a_change_of_any_weight_shows_in_the_fingerprint():
    net = network("lstm")
    handle = native(net)
    seen = {handle.fingerprint()}
    for weight in net.weights():
        flat = weight.reshape(-1)
        for place in (0, len(flat) // 2, len(flat) - 1):
            flat[place] = np.nextafter(flat[place], np.float32(9))
            seen.add(handle.fingerprint())
    assert len(seen) == 1 + 3 * len(net.weights())


def test_many_threads_read_one_model():
    corpus = elman.Corpus("t", "abcdefghij" * 30, "none", "here")
    model = elman.build_model(corpus, cell="lstm", hidden_size=9, init_std=None)
    want = elman.generate(model, "ab", 50, seed=1), elman.score(model, str(corpus.text)).bits
    found: list[Any] = []

    def read() -> None:
        for _ in range(20):
            found.append((elman.generate(model, "ab", 50, seed=1), elman.score(model, str(corpus.text)).bits))

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [want] * 120


def test_a_huge_request_is_a_memory_error():
    net = network()
    with pytest.raises(MemoryError):
        kernels.run(net, np.broadcast_to(np.int64(1), (1 << 44, 1)), net.begin_state(1))
    assert kernels.run(net, np.ones((2, 1), dtype=np.int64), net.begin_state(1))[0].shape == (2, 1, 9)


def test_a_cell_that_the_kernel_lacks_is_the_references(monkeypatch):
    monkeypatch.setattr(handles, "CELLS", ("rnn_relu",))
    gru = kernels.CELLS["gru"]
    assert kernels.serving(gru) == ("reference", "the native kernel has no gru")
    assert kernels.serving()[0] == "cpu"
    x, state, weights, _ = layer_inputs("gru", 7, 3, 5, 9)
    output, _ = kernels.recurrent(gru, x, state, weights)
    cases.same_bits([output], [reference.recurrent(gru, x, state, weights)[0]])
    corpus = elman.Corpus("t", "the sea. " * 30, "none", "here")
    run = elman.fit(elman.build_model(corpus, cell="gru", hidden_size=4), corpus, epochs=2, batch_size=2, seq_length=9)
    with kernels.use("reference"):
        model = elman.build_model(corpus, cell="gru", hidden_size=4)
        elman.fit(model, corpus, epochs=2, batch_size=2, seq_length=9)
    assert run.model.digest() == model.digest()
