"""Quantising: what it costs, what it refuses, and the arrays of a file, there and back."""

# ruff: noqa: E741 (l is a layer, I the size of the input)
from __future__ import annotations

import numpy as np
import pytest
from integers import CELLS, extreme, floats, same, text, whole

from elman import kernels
from elman.errors import InputError
from elman.kernels import integer
from elman.model.integer import IntegerNetwork
from elman.model.integer_arrays import BITS, pack, unpack
from elman.model.rounding import relu_ranges, to_integers


def made(cell: str = "gru", bits: int = 8, L: int = 2, embedding: int = 0, H: int = 21) -> IntegerNetwork:
    layers, output, E = floats(cell, L, H, 13, embedding=embedding)
    return to_integers(cell, layers, output, bits=bits, embedding=E, ids=text(12, 3, 13))


@pytest.mark.parametrize("embedding", [0, 5])
@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("cell", CELLS)
def test_arrays_there_and_back(cell, bits, embedding):
    model = made(cell, bits, embedding=embedding)
    arrays = model.to_arrays()
    again = IntegerNetwork.from_arrays(model.header(), arrays)
    ids = text(9, 2, 13)
    same([again.run(ids)[0]], [model.run(ids)[0]])
    for name, array in again.to_arrays().items():
        same([array], [arrays[name]])
    for matrix in (model.network.output, *(m for layer in model.network.layers for m in layer[:2])):
        assert np.abs(matrix.q).max() <= 2 ** (bits - 1) - 1


@pytest.mark.parametrize("bits", [6, 5, 4])
def test_packing(bits):
    q = whole((7, 13), 2 ** (bits - 1) - 1, bits, np.int8)
    packed = pack(q, bits)
    assert len(packed) == -(-7 * 13 * bits // 8)
    same([unpack(packed, bits, 7, 13)], [q])
    number = int.from_bytes(packed.tobytes(), "big") >> (8 * len(packed) - bits * q.size)
    assert [(number >> bits * i) % 2**bits - 2 ** (bits - 1) for i in range(q.size)][::-1] == q.reshape(-1).tolist()


def test_sizes():
    layers, output, _ = floats("lstm", 2, 256, 70)
    whole_size = sum(w.nbytes for layer in layers for w in layer) + sum(w.nbytes for w in output)
    for bits, most in ((8, 0.256), (6, 0.194), (5, 0.163), (4, 0.132)):
        size = sum(a.nbytes for a in to_integers("lstm", layers, output, bits=bits).to_arrays().values())
        assert size / whole_size < most


def test_more_bits_are_nearer():
    layers, output, _ = floats("lstm", 1, 64, 13)
    ids = text(40, 4, 13)
    logits = [to_integers("lstm", layers, output, bits=bits, ids=ids).run(ids)[0] for bits in BITS]
    errors = [float(np.square(x - logits[0]).mean()) for x in logits]
    assert errors[0] == 0 < errors[1] < errors[2] < errors[3]


def test_ranges_of_relu_are_measured():
    layers, _, _ = floats("rnn_relu", 2, 9, 13)
    ids, h, top = text(20, 3, 13), np.zeros((2, 3, 9)), np.zeros((2, 9))
    for row in ids:
        x = np.eye(13)[row]
        for l, (w_ih, w_hh, b_ih, b_hh) in enumerate(layers):
            x = h[l] = np.maximum(x @ w_ih.T + h[l] @ w_hh.T + b_ih + b_hh, 0)
            top[l] = np.maximum(top[l], x.max(axis=0))
    got = relu_ranges(layers, ids, None)
    np.testing.assert_allclose(got, np.maximum(top, top.max(axis=1, keepdims=True) / 64), rtol=1e-5)


def test_a_unit_of_relu_beyond_its_range_saturates():
    layers, output, _ = floats("rnn_relu", 1, 9, 13)
    model = to_integers("rnn_relu", layers, output, ids=text(2, 1, 13))
    _, state = model.run(text(30, 8, 13, seed=3))
    assert state.h.min() == 0
    assert state.h.max() == 127


def test_what_quantise_refuses():
    layers, output, _ = floats("gru", 1, 5, 7)
    with pytest.raises(InputError, match="cell is 'gur'; expected one of rnn_relu, rnn_tanh, gru, lstm"):
        to_integers("gur", layers, output)
    with pytest.raises(InputError, match="bits is 7; expected one of 8, 6, 5, 4"):
        to_integers("gru", layers, output, bits=7)
    relu, output, _ = floats("rnn_relu", 1, 5, 7)
    with pytest.raises(InputError, match="quantised with a text"):
        to_integers("rnn_relu", relu, output)
    layers, output, _ = floats("gru", 1, 5, 7)
    layers[0][1][2, 3] = np.nan
    with pytest.raises(InputError, match="not all finite"):
        to_integers("gru", layers, output)
    layers[0][1][2, 3] = 1e8
    with pytest.raises(InputError, match="layer 0: w_hh is too large"):
        to_integers("gru", layers, output)
    layers[0][1][2, 3] = 0.0
    layers[0][2][1] = 1e9
    with pytest.raises(InputError, match="a bias is too large"):
        to_integers("gru", layers, output)


def test_zero_weights_and_no_biases():
    layers, (w, _), _ = floats("lstm", 2, 11, 7)
    none = [(np.zeros_like(a), np.zeros_like(b), None, None) for a, b, _, _ in layers]
    model = to_integers("lstm", none, (w, None))
    logits, state = model.run(text(5, 2, 7))
    assert not logits.any()
    assert not state.h.any()


DAMAGES = {
    "integer contract 2": lambda header, arrays: header.update(contract=2),
    "not an integer model's header": lambda header, arrays: header.update(bits=7),
    "a size is -1": lambda header, arrays: header["sizes"].update(hidden=-1),
    "a size is True": lambda header, arrays: header["sizes"].update(layers=True),
    "too few for 1000000 layers": lambda header, arrays: header["sizes"].update(layers=10**6),
    "layers.0.w_ih is int8": lambda header, arrays: header["sizes"].update(vocab=12),
    "unknown arrays: more": lambda header, arrays: arrays.update(more=np.zeros(1)),
    "layers.1.w_hh is missing": lambda header, arrays: arrays.pop("layers.1.w_hh"),
    "output.scale is float64": lambda header, arrays: arrays.update({"output.scale": np.zeros(13)}),
    "a weight is -128": lambda header, arrays: arrays["output"].__setitem__((0, 0), -128),
    "a scale is below zero or not a number": lambda header, arrays: arrays["layers.0.w_hh.scale"].__setitem__(
        0, np.nan
    ),
    "layer 1: w_ih is too large": lambda header, arrays: arrays["layers.1.w_ih.scale"].__setitem__(0, 1e6),
    "layer 0: bias is too large": lambda header, arrays: arrays["layers.0.bias"].__setitem__(0, -(2**31)),
    "a bias of the output is not": lambda header, arrays: arrays["output.bias"].__setitem__(0, np.inf),
}


@pytest.mark.parametrize("message", DAMAGES)
def test_damaged_files_are_refused(message):
    model = extreme("gru", 2, 9, 13)
    arrays = {name: array.copy() for name, array in model.to_arrays().items()}
    header = model.header()
    DAMAGES[message](header, arrays)
    with pytest.raises(InputError, match=message.replace(".", r"\.")):
        IntegerNetwork.from_arrays(header, arrays)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_activations_are_the_states(backend):
    for cell in CELLS:
        model, ids = made(cell), text(6, 3, 13)
        for layer in range(2):
            with kernels.use(backend):
                values, state = model.activations(ids, layer)
                _, expected = model.run(ids)
            same(state, expected)
            if expected.c is None:
                last = expected.h[layer] / 127
            elif cell == "gru":
                last = expected.c[layer] / 2**15
            else:
                last = np.tanh(expected.c[layer] / 2**11)
            np.testing.assert_allclose(values[-1], last, atol=1e-6 if cell != "lstm" else 2e-4)
    assert integer.CONTRACT == 1
