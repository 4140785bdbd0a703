"""Layers against torch.nn in float64: outputs, states and every gradient, and the state_dict both ways."""

from __future__ import annotations

import pytest
import torch

import elman
import elman.torch
from elman.torch import kernels

KINDS = [
    ("RNN", {"nonlinearity": "tanh"}),
    ("RNN", {"nonlinearity": "relu"}),
    ("GRU", {}),
    ("LSTM", {}),
]
SHAPES = [
    {"num_layers": 1},
    {"num_layers": 3},
    {"num_layers": 2, "bidirectional": True},
    {"num_layers": 1, "bias": False},
    {"num_layers": 2, "batch_first": True},
]


def parts(state):
    return state if isinstance(state, tuple) else (state,)


@pytest.mark.parametrize("backend", ["reference", "torch"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("kind", "options"), KINDS, ids=str)
def test_agrees_with_torch_in_float64(kind, options, shape, backend):
    torch.manual_seed(3)
    ours = getattr(elman.torch, kind)(5, 7, **options, **shape, dtype=torch.float64)
    theirs = getattr(torch.nn, kind)(5, 7, **options, **shape, dtype=torch.float64)
    theirs.load_state_dict(ours.state_dict())
    ours.load_state_dict(theirs.state_dict())

    x = torch.randn(3 if shape.get("batch_first") else 11, 11 if shape.get("batch_first") else 3, 5).double()
    layers = shape["num_layers"] * (2 if shape.get("bidirectional") else 1)
    states = [torch.randn(layers, 3, 7).double() for _ in range(2 if kind == "LSTM" else 1)]

    def run(layer):
        inputs = [x.clone().requires_grad_(), *(s.clone().requires_grad_() for s in states)]
        hx = tuple(inputs[1:]) if kind == "LSTM" else inputs[1]
        output, last = layer(inputs[0], hx)
        results = [output, *parts(last)]
        generator = torch.Generator().manual_seed(5)
        cotangents = [torch.randn(r.shape, generator=generator, dtype=torch.float64) for r in results]
        grads = torch.autograd.grad(results, [*inputs, *layer.parameters()], cotangents)
        return [*results, *grads]

    with kernels.use(backend):
        mine = run(ours)
    for a, b in zip(mine, run(theirs), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("kind", "options"), KINDS, ids=str)
def test_token_ids_equal_one_hot(kind, options):
    torch.manual_seed(4)
    layer = getattr(elman.torch, kind)(6, 5, **options, dtype=torch.float64)
    ids = torch.tensor([[0, 5, 2], [3, 3, 1]])
    with kernels.use("reference"):
        looked_up, _ = layer(ids)
        multiplied, _ = layer(torch.nn.functional.one_hot(ids, 6).double())
    torch.testing.assert_close(looked_up, multiplied, rtol=1e-12, atol=1e-14)


def test_one_long_call_equals_two_short_ones():
    torch.manual_seed(5)
    layer = elman.torch.LSTM(4, 6, 2)
    x = torch.randn(9, 2, 4)
    whole, last = layer(x)
    first, state = layer(x[:4])
    second, end = layer(x[4:], state)
    torch.testing.assert_close(torch.cat((first, second)), whole)
    torch.testing.assert_close(end, last)


def test_a_wrong_state_says_what_to_do():
    layer = elman.torch.RNN(4, 6)
    with pytest.raises(ValueError, match=r"call begin_state\(2\) or pass None"):
        layer(torch.zeros(3, 2, 4), layer.begin_state(32))


def test_what_torch_users_call_and_pass():
    layer = elman.torch.LSTM(5, 7)
    layer.flatten_parameters()
    with pytest.raises(TypeError, match="input is a list; expected a tensor or a packed sequence"):
        layer([1.0])  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"the state of LSTM is \(h, c\)"):
        layer(torch.zeros(4, 2, 5), (torch.zeros(1, 2, 7),))
    reading = elman.Reading(elman.Vocabulary.from_text("abcd"))
    with pytest.raises(elman.InputError, match=r"the layer is torch.nn.modules.rnn.RNN; expected elman.RNN"):
        elman.LanguageModel(torch.nn.RNN(5, 7), reading)  # pyright: ignore
