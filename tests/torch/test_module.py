"""Module shares a model's memory; from_torch copies torch's weights; fit(device=...) trains through torch."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch_cases import CELLS

import elman
import elman.torch
from elman import kernels
from elman.kernels import reference
from elman.torch.device import stepper

TEXT = "it is a truth that a text repeats itself, and so does this one, line by line.\n" * 20
CORPUS = elman.Corpus("t", TEXT, "none", "here")


def model(cell: str = "gru", num_layers: int = 1, **settings) -> elman.LanguageModel:
    return elman.build_model(CORPUS, cell=cell, hidden_size=9, num_layers=num_layers, init_std=None, **settings)  # type: ignore


@pytest.mark.parametrize("cell", CELLS)
def test_an_optimiser_changes_the_model_and_the_model_the_module(cell):
    core = model(cell, num_layers=2)
    module = elman.torch.Module(core)
    assert [name for name, _ in module.named_parameters()] == list(core.named_parameters())
    ids = torch.from_numpy(CORPUS.vocabulary().encode(TEXT[:60]).astype(np.int64)).view(20, 3)
    logits, state = module(ids)
    mine, last = core(ids.numpy())
    np.testing.assert_array_equal(logits.detach().numpy(), mine)
    for a, b in zip(*((s,) if not isinstance(s, tuple) else s for s in (state, last)), strict=True):
        np.testing.assert_array_equal(a.detach().numpy(), b)
    before = core.digest()
    module.loss(ids[:-1], ids[1:])[0].backward()
    torch.optim.SGD(module.parameters(), 0.5).step()
    assert core.digest() != before
    np.testing.assert_array_equal(module(ids)[0].detach().numpy(), core(ids.numpy())[0])
    text = elman.generate(core, "it", 20, seed=1)
    core.initialise(5, None)
    np.testing.assert_array_equal(module(ids)[0].detach().numpy(), core(ids.numpy())[0])
    assert elman.generate(core, "it", 20, seed=1) != text  # packed anew


def test_frozen_parameters_stay_in_a_torch_loop():
    core = model("lstm")
    module = elman.torch.Module(core)
    module.layer.requires_grad_(False)
    before = core.state_dict()
    ids = torch.ones((3, 2), dtype=torch.int64)
    module.loss(ids, ids)[0].backward()
    torch.optim.SGD([p for p in module.parameters() if p.requires_grad], 0.5).step()
    changed = {name for name, array in core.named_parameters().items() if not np.array_equal(array, before[name])}
    assert changed == {"output.weight", "output.bias"}


def test_copies_come_back():
    core = model()
    module = elman.torch.Module(core).double()
    with torch.no_grad():
        module.output.bias.add_(1.0)
    assert not np.array_equal(core.output.bias, module.output.bias.detach().numpy().astype(np.float32))
    module.copy_back()
    np.testing.assert_array_equal(core.output.bias, module.output.bias.detach().float().numpy())


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("kind", "options", "cell"),
    [
        (nn.RNN, {}, "rnn_tanh"),
        (nn.RNN, {"nonlinearity": "relu"}, "rnn_relu"),
        (nn.GRU, {}, "gru"),
        (nn.LSTM, {}, "lstm"),
        (elman.torch.LSTM, {}, "lstm"),
    ],
)
def test_from_torch(kind, options, cell, bias):
    reading = CORPUS.reading()
    layer, output = kind(len(reading), 7, 2, bias=bias, **options), nn.Linear(7, len(reading))
    core = elman.torch.from_torch(layer, output, reading)
    assert (core.layer.cell, core.layer.bias, core.reading) == (cell, bias, reading)
    ids = torch.randint(len(reading), (6, 3), generator=torch.Generator().manual_seed(1))
    want = output(layer(nn.functional.one_hot(ids, len(reading)).float())[0])
    torch.testing.assert_close(torch.from_numpy(core(ids.numpy())[0]), want.detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_with_an_embedding(cell):
    """The reference's in float64 against autograd through torch's own modules; and the native ones against those."""
    core = model(cell, 2, embedding_size=5)
    module: Any = elman.torch.Module(core)
    assert [name for name, _ in module.named_parameters()] == list(core.named_parameters())
    generator = torch.Generator().manual_seed(1)
    ids, targets = (torch.randint(core.vocab_size - 3, (6, 4), generator=generator) for _ in range(2))
    np.testing.assert_array_equal(module(ids)[0].detach().numpy(), core(ids.numpy())[0])
    mean, _, grads = core.loss_and_grads(ids.numpy(), targets.numpy())
    module = module.double()
    loss = module.loss(ids, targets)[0]
    loss.backward()
    assert mean == pytest.approx(loss.item(), rel=1e-6)
    for name, parameter, mine in zip(core.named_parameters(), module.parameters(), grads, strict=True):
        np.testing.assert_allclose(mine, parameter.grad.numpy(), atol=2e-7, err_msg=name)
    w, bias = (module.output.weight.detach().numpy(), module.output.bias.detach().numpy())
    layers: Any = tuple(tuple(p.detach().numpy() for p in of_layer) for of_layer in module.layer.weights())
    network = kernels.ModelWeights(core.network.cell, layers, w, bias, module.embedding.weight.detach().numpy())
    state = tuple(np.zeros((2, 4, 9)) for _ in range(network.cell.states))
    _, _, exact = reference.loss_and_grads(network, ids.numpy(), targets.numpy(), state, None)
    for name, parameter, mine in zip(core.named_parameters(), module.parameters(), exact, strict=True):
        np.testing.assert_allclose(mine, parameter.grad.numpy(), atol=1e-14, err_msg=name)


def test_from_torch_with_an_embedding():
    reading = CORPUS.reading()
    V = len(reading)
    embedding, layer, output = nn.Embedding(V, 5), nn.LSTM(5, 7), nn.Linear(7, V)
    core = elman.torch.from_torch(layer, output, reading, embedding)
    ids = torch.randint(V, (6, 3), generator=torch.Generator().manual_seed(1))
    want = output(layer(embedding(ids))[0])
    torch.testing.assert_close(torch.from_numpy(core(ids.numpy())[0]), want.detach(), rtol=1e-4, atol=1e-5)
    with pytest.raises(elman.InputError, match=rf"the embedding is \({V + 1}, 5\); expected \({V}, 5\)"):
        elman.torch.from_torch(layer, output, reading, nn.Embedding(V + 1, 5))


def test_what_from_torch_refuses():
    reading = CORPUS.reading()
    V = len(reading)
    for layer, output, message in (
        (nn.Linear(V, 7), nn.Linear(7, V), "the layer is Linear; expected RNN, GRU or LSTM"),
        (nn.GRU(V, 7, bidirectional=True), nn.Linear(14, V), "use bidirectional=False"),
        (nn.LSTM(V, 7, proj_size=3), nn.Linear(3, V), "use proj_size=0"),
        (nn.GRU(V, 7), nn.Linear(8, V), f"the output goes from 8 to {V}; expected from 7 to {V}"),
        (nn.GRU(V, 7), nn.Linear(7, V, bias=False), "the output has no bias"),
        (nn.GRU(V + 1, 7), nn.Linear(7, V), f"input_size is {V + 1} but the vocabulary has {V} entries"),
    ):
        with pytest.raises(elman.InputError, match=message):
            elman.torch.from_torch(layer, output, reading)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize(("cell", "embedding_size"), [*((cell, None) for cell in CELLS), ("gru", 5)])
def test_fit_on_a_device_follows_the_kernel(cell, embedding_size, optimizer):
    """torch's own layers on "cpu:0", which is a device like any other; rounding differs, so the runs stay close."""
    settings = {"epochs": 2, "batch_size": 4, "seq_length": 16, "sample_every": 0, "dropout": 0.2,
                "optimizer": optimizer, "lr": 0.5 if optimizer == "sgd" else 0.01, "weight_decay": 0.01}  # fmt: skip
    here, there = (model(cell, 2, dropout=0.2, embedding_size=embedding_size) for _ in range(2))
    mine = elman.fit(here, CORPUS, **settings)
    theirs = elman.fit(there, CORPUS, device="cpu:0", **settings)
    assert theirs.perplexity == pytest.approx(mine.perplexity, rel=1e-3)
    assert theirs.log[-1].layer_grad_norms == pytest.approx(mine.log[-1].layer_grad_norms, rel=1e-2)
    np.testing.assert_allclose(there.output.weight, here.output.weight, atol=2e-3)


def test_a_device_that_is_not_there():
    with pytest.raises(elman.InputError, match="device 'nonsense'"):
        stepper(model().network, "nonsense")


def test_a_copy_has_a_model_of_its_own_in_the_same_memory():
    corpus = elman.Corpus("t", "abc abd\n" * 9, "none", "here", False)
    first: Any = elman.torch.Module(elman.build_model(corpus, cell="gru", hidden_size=4))
    ids = torch.zeros((3, 1), dtype=torch.int64)
    for use in (False, True):
        if use:
            first(ids)[0].sum().backward()
        copies: list[Any] = [copy.deepcopy(first), pickle.loads(pickle.dumps(first))]
        for second in copies:
            assert torch.equal(second(ids)[0], first(ids)[0])
            with torch.no_grad():
                second.layer.weight_hh_l0.zero_()
            assert not second.model.layer.weight_hh_l0.any()
            assert first.model.layer.weight_hh_l0.any()
            if use and second.output.bias.grad is not None:
                assert torch.equal(second.output.bias.grad, first.output.bias.grad)


def test_a_copy_in_another_type_stays_one():
    corpus = elman.Corpus("t", "abc abd\n" * 9, "none", "here", False)
    first = elman.torch.Module(elman.build_model(corpus, cell="gru", hidden_size=4)).double()
    second: Any = copy.deepcopy(first)
    with torch.no_grad():
        second.layer.weight_hh_l0.zero_()
    assert second.layer.weight_hh_l0.dtype == torch.float64
    assert second.model.layer.weight_hh_l0.any()


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_detach_ends_the_history(cell):
    corpus = elman.Corpus("t", "abc abd\n" * 9, "none", "here")
    module = elman.torch.Module(elman.build_model(corpus, cell=cell, hidden_size=3))
    ids = torch.zeros((2, 1), dtype=torch.int64)
    _, _, state = module.loss(ids, ids)
    parts = state if isinstance(state, tuple) else (state,)
    ended = elman.torch.detach(state)
    for old, new in zip(parts, ended if isinstance(ended, tuple) else (ended,), strict=True):
        assert old.requires_grad
        assert not new.requires_grad
        assert torch.equal(old, new)
