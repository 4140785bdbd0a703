"""What users of torch.nn do with a layer beyond calling it."""

from __future__ import annotations

import copy
import pickle
import threading
import warnings
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call
from torch.nn.utils.rnn import pack_padded_sequence

from elman.torch import GRU, LSTM, RNN, kernels

PAIRS = [(RNN, nn.RNN), (GRU, nn.GRU), (LSTM, nn.LSTM)]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@pytest.mark.parametrize("num_layers", [1, 2])
def test_the_books_loop_detaches_the_state_in_place(ours, theirs, num_layers):
    losses = []
    e, n = ours(5, 7, num_layers), theirs(5, 7, num_layers)
    e.load_state_dict(n.state_dict())
    x = torch.randn((3, 4, 2, 5), generator=torch.Generator().manual_seed(0))
    for layer in (e, n):
        state, optimizer = None, torch.optim.SGD(layer.parameters(), 0.5)
        for part in x:
            for s in () if state is None else state if isinstance(state, tuple) else (state,):
                s.detach_()
            out, state = layer(part, state)
            loss = out.square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_a_second_derivative_is_refused_or_right_but_never_zero(ours, theirs):
    e, n = ours(5, 7), theirs(5, 7)
    e.load_state_dict(n.state_dict())

    def penalty(layer):
        layer.zero_grad()
        y = torch.randn((4, 3, 5), generator=torch.Generator().manual_seed(0)).requires_grad_()
        (grad,) = torch.autograd.grad(layer(y)[0].sum(), y, create_graph=True)
        (grad.norm() - 1).square().backward()
        return layer.weight_hh_l0.grad

    if kernels.serving(e.weight_hh_l0)[0] == "cpu":
        with pytest.raises(RuntimeError, match=r"no second derivative; compute with kernels\.use\('reference'\)"):
            penalty(e)
    with kernels.use("reference"):
        torch.testing.assert_close(penalty(e), penalty(n))


@pytest.mark.skipif(not hasattr(torch.library, "register_autocast"), reason="needs torch 2.7")
@pytest.mark.parametrize("ours", [ours for ours, _ in PAIRS])
def test_inside_autocast_the_kernel_computes_in_float32(ours):
    e, x = ours(5, 7), torch.randn((4, 3, 5), generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = e(x.bfloat16())[0]
        out.float().sum().backward()
    assert torch.equal(out, e(x.bfloat16().float())[0])
    assert e.weight_hh_l0.grad.dtype == torch.float32


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_torchs_attributes(ours, theirs):
    for bias in (True, False):
        e, n = (kind(5, 7, 2, bias=bias, bidirectional=True) for kind in (ours, theirs))
        e.load_state_dict(n.state_dict())
        assert (e.mode, e.proj_size, e._flat_weights_names) == (n.mode, 0, n._flat_weights_names)
        for a, b in zip(e._flat_weights, n._flat_weights, strict=True):
            assert torch.equal(a, b)
        assert [[w.shape for w in ws] for ws in e.all_weights] == [[w.shape for w in ws] for ws in n.all_weights]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("enforce_sorted", [False, True])
def test_packed_sequences_are_torchs(ours, theirs, bidirectional, enforce_sorted):
    e, n = (kind(5, 7, 2, bidirectional=bidirectional).double() for kind in (ours, theirs))
    e.load_state_dict(n.state_dict())
    draw = torch.Generator().manual_seed(1)
    lengths = [6, 4, 4, 1] if enforce_sorted else [4, 1, 6, 4]
    x = torch.randn((6, 4, 5), generator=draw, dtype=torch.float64)
    first = [torch.randn((4 if bidirectional else 2, 4, 7), generator=draw, dtype=torch.float64) for _ in range(2)]
    results = []
    for layer in (e, n):
        leaf = x.clone().requires_grad_()
        hx = tuple(h.clone().requires_grad_() for h in first)
        packed = pack_padded_sequence(leaf, torch.tensor(lengths), enforce_sorted=enforce_sorted)
        out, state = layer(packed, hx if ours is LSTM else hx[0])
        state = state if isinstance(state, tuple) else (state,)
        total = out.data.square().sum() + sum((i + 2) * s.sin().sum() for i, s in enumerate(state))
        wanted = [leaf, *hx[: len(state)], *layer.parameters()]
        results.append([out.data, *state, *torch.autograd.grad(total, wanted)])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)
    # in float32, through the kernel that serves here
    e, n = e.float(), n.float()
    packed = pack_padded_sequence(x.float(), torch.tensor(lengths), enforce_sorted=enforce_sorted)
    for a, b in zip(e(packed)[0], n(packed)[0], strict=True):
        if a is not None:
            torch.testing.assert_close(a, b)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_torch_func(ours, theirs):
    e, n = ours(5, 7), theirs(5, 7)
    e.load_state_dict(n.state_dict())
    x = torch.randn((4, 3, 5), generator=torch.Generator().manual_seed(0))
    results = []
    for layer in (e, n):

        def cost(parameters, layer=layer):
            return functional_call(layer, parameters, (x,))[0].square().sum()

        grads = torch.func.grad(cost)(dict(layer.named_parameters()))
        jacobian = torch.func.jacrev(lambda y, layer=layer: layer(y)[0].sum((0, 1)))(x)
        pulled = torch.func.vjp(lambda y, layer=layer: layer(y)[0], x)[1](torch.ones(4, 3, 7))
        results.append([*grads.values(), jacobian, *pulled])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("ours", [ours for ours, _ in PAIRS])
def test_forward_derivatives_are_those_of_differences(ours):
    layer, draw = ours(5, 7).double(), torch.Generator().manual_seed(0)
    x, v = (torch.randn((4, 3, 5), generator=draw, dtype=torch.float64) for _ in range(2))
    difference = (layer(x + 1e-6 * v)[0] - layer(x - 1e-6 * v)[0]) / 2e-6
    layer = layer.float()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch's own use of torch.jit
        tangent: Any = torch.func.jvp(lambda y: layer(y)[0], (x.float(),), (v.float(),))[1]
    assert tangent.norm() > 0.1
    torch.testing.assert_close(tangent, difference.float(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("ours", [ours for ours, _ in PAIRS])
def test_a_trace_has_the_layers_bits_and_serves_other_sizes(ours):
    layer = ours(5, 7, batch_first=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated, and warns of each Python value that it fixes
        traced: Any = torch.jit.trace(layer, (torch.randn(2, 3, 5),))
        x = torch.randn((4, 6, 5), generator=torch.Generator().manual_seed(0))
        out = traced(x)[0]
    assert torch.equal(out, layer(x)[0])
    assert torch.equal(gradients(layer, out), gradients(layer, layer(x)[0]))
    with torch.no_grad():
        assert torch.equal(traced(x)[0], out)


def gradients(layer: torch.nn.Module, out: torch.Tensor) -> torch.Tensor:
    return torch.cat([grad.reshape(-1) for grad in torch.autograd.grad(out.square().sum(), list(layer.parameters()))])


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_repr_is_torchs(ours, theirs):
    for options in ({}, {"num_layers": 2, "bias": False, "batch_first": True, "dropout": 0.5, "bidirectional": True}):
        assert repr(ours(5, 7, **options)) == repr(theirs(5, 7, **options))


def test_a_forced_backend_is_its_threads_own_and_does_not_stick():
    here, seen, like = kernels.serving(torch.zeros(()))[0], [], torch.zeros(())
    with kernels.use("reference"):
        thread = threading.Thread(target=lambda: seen.append(kernels.serving(like)[0]))
        thread.start()
        thread.join()
    assert seen == [here]
    first, second = kernels.use("reference"), kernels.use("torch")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert kernels.serving(like) == ("torch", "forced by kernels.use")
    second.__exit__(None, None, None)
    assert kernels.serving(like)[0] == here


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@pytest.mark.parametrize("change", [torch.relu_, lambda out: F.dropout(out, 0.5, True, True), lambda out: out.mul_(3)])
def test_the_output_may_be_written_into(ours, theirs, change):
    x = torch.randn((4, 3, 5), generator=torch.Generator().manual_seed(0))
    for options in ({}, {"num_layers": 2, "batch_first": True}, {"bidirectional": True}):
        e, grads = ours(5, 7, **options), []
        for into in (change, lambda out: change(out.clone())):
            e.zero_grad()
            torch.manual_seed(1)
            into(e(x)[0]).square().sum().backward()
            grads.append([p.grad.clone() for p in e.parameters()])
        for a, b in zip(*grads, strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_it_is_torchs_base_for_programs_that_ask(ours, theirs):
    e = ours(5, 7, 2)
    assert isinstance(e, torch.nn.RNNBase)
    assert not isinstance(e, theirs)
    x = torch.randn((4, 3, 5), generator=torch.Generator().manual_seed(0))
    out = e(x)[0]
    for other in (copy.deepcopy(e), pickle.loads(pickle.dumps(e)), e.double().float(), e.to("cpu").requires_grad_()):
        assert torch.equal(other(x)[0], out)
    e.flatten_parameters()
    e.weight_hh_l1 = e.weight_hh_l0  # one parameter under two names
    assert len(list(e.parameters())) == 7
    assert e._flat_weights[5] is e.weight_hh_l0
    other = ours(5, 7, 2)
    other.load_state_dict(e.state_dict())
    total = [layer(x)[0].square().sum() for layer in (e, other)]
    (tied,) = torch.autograd.grad(total[0], [dict(e.named_parameters())["weight_hh_l0"]])
    of = dict(other.named_parameters())
    apart = torch.autograd.grad(total[1], [of["weight_hh_l0"], of["weight_hh_l1"]])
    torch.testing.assert_close(tied, apart[0] + apart[1])
    assert torch.equal(e.double()(x.double())[0], other.double()(x.double())[0])
    assert e.weight_hh_l1 is e.weight_hh_l0
