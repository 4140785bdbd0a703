"""`elman.torch`'s operators against the reference and torch.nn in float64: outputs, states and every gradient.

An error is the largest absolute difference in a tensor over its largest absolute value. The tolerances are about twice
the largest error measured over all cases of a test (3.3e-6; 5.4e-6 over 4,096 steps); float32 rounds at 6e-8.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
import torch_cases as cases
from command_line import PATIENCE
from inputs import SHAPES
from torch import Tensor
from torch_cases import CELLS, integers, layer_inputs, numbers, run_layer

import elman
import elman.torch
from elman import kernels as core
from elman.kernels import reference as numpy_reference
from elman.torch import kernels, reference

pytestmark = pytest.mark.skipif(not core.has_native(), reason="the native kernel is not built")
TOLERANCE = 5e-6


def double(t):
    return t.double() if t is not None and t.is_floating_point() else t


def doubles(ts: Iterable) -> list:
    return [double(t) for t in ts]


def error(got: Tensor, want: Tensor) -> float:
    assert got.shape == want.shape
    assert got.isfinite().all()
    if not want.numel():
        return 0.0
    largest = max(float(want.abs().max()), 1e-30)  # below, float32 has only denormals left
    return float((got.double() - want).abs().max()) / largest


def agree(got: Iterable[Tensor], want: Iterable[Tensor], tolerance: float) -> None:
    for i, (a, b) in enumerate(zip(got, want, strict=True)):
        assert error(a, b) <= tolerance, f"tensor {i} of shape {tuple(b.shape)}"


def compare_layer(cell: str, x: Tensor, state, weights, cotangents, tolerance: float) -> None:
    mine = run_layer(cell, x, state, weights, cotangents)
    with kernels.use("reference"):
        theirs = run_layer(cell, double(x), doubles(state), doubles(weights), doubles(cotangents))
    for a, b in zip(mine, theirs, strict=True):
        agree(a, b, tolerance)


def test_a_cell_that_the_kernel_lacks_is_the_references():
    """The operators serve the cells of the native kernel, not all that have a definition."""
    program = """
import torch
from elman.kernels import handles
handles.CELLS = ("rnn_relu", "rnn_tanh", "lstm")
import elman.torch
layer, x = elman.torch.GRU(3, 5), torch.ones(4, 2, 3)
mine, _ = elman.torch.kernels.recurrent("gru", x, (torch.zeros(2, 5),), layer.weights()[0])
assert type(mine.grad_fn).__name__ == "StackBackward0", mine.grad_fn  # the reference's last operation
assert mine.equal(layer(x)[0])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr


# --- the recurrent layer ---


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("ids", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("cell", CELLS)
def test_layer(cell, shape, ids, bias):
    compare_layer(cell, *layer_inputs(cell, **shape, ids=ids, bias=bias), TOLERANCE)


@pytest.mark.parametrize("cell", CELLS)
def test_a_long_sequence(cell):
    x, state, weights, cotangents = layer_inputs(cell, 4096, 2, 9, 8, ids=True)
    compare_layer(cell, x, state, weights, cotangents, 2 * TOLERANCE)


@pytest.mark.parametrize("ids", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_gates_at_100(cell, ids):
    """Pre-activations near 100 and -100, in every combination of gates."""
    x, state, (w_ih, w_hh, b_ih, b_hh), cotangents = layer_inputs(cell, 6, 5, 13, 37, ids=ids)
    assert b_ih is not None
    b_ih = torch.where(integers(b_ih.shape, 2, 99) > 0, 100.0, -100.0) + b_ih
    compare_layer(cell, x, state, (w_ih, w_hh, b_ih, b_hh), cotangents, TOLERANCE)


@pytest.mark.parametrize("given", ["output", "h", "c", "output and h", "all but h"])
@pytest.mark.parametrize("cell", CELLS)
def test_undefined_gradients(cell, given):
    x, state, weights, (d_out, *d_last) = layer_inputs(cell, 5, 4, 6, 19)
    if given[-1] == "c" and cell != "lstm":
        pytest.skip(f"{cell} has no c")
    keep = {"output": (1, 0, 0), "h": (0, 1, 0), "c": (0, 0, 1), "output and h": (1, 1, 0), "all but h": (1, 0, 1)}
    cotangents = [d if k else None for d, k in zip([d_out, *d_last], keep[given], strict=False)]
    compare_layer(cell, x, state, weights, cotangents, TOLERANCE)


@pytest.mark.parametrize("wanted", range(7))
@pytest.mark.parametrize("cell", CELLS)
def test_frozen_inputs(cell, wanted):
    """One input alone asks for its gradient; it must be what it is when all do."""
    x, state, weights, cotangents = layer_inputs(cell, 5, 4, 6, 19)
    inputs = [x, *state, *weights]
    if wanted >= len(inputs):
        pytest.skip(f"{cell} has {len(inputs)} inputs")
    expected = run_layer(cell, x, state, weights, cotangents)[1][wanted]
    inputs = [t.requires_grad_() if i == wanted else t for i, t in enumerate(inputs) if t is not None]
    n = 1 + len(state)
    output, last = kernels.recurrent(cell, inputs[0], tuple(inputs[1:n]), tuple(inputs[n:]))  # type: ignore[arg-type]
    torch.autograd.backward([output, *last], cotangents)
    grad = inputs[wanted].grad
    assert grad is not None
    cases.same_bits([grad], [expected])
    assert all(t.grad is None for i, t in enumerate(inputs) if i != wanted)


@pytest.mark.parametrize("ids", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_inputs_and_gradients_that_are_not_contiguous(cell, ids):
    def spread(t):
        if t is None:
            return None
        wide = torch.empty(*t.shape[:-1], t.shape[-1] * 2, dtype=t.dtype)
        wide[..., ::2] = t
        return wide[..., ::2]

    x, state, weights, cotangents = layer_inputs(cell, 5, 4, 6, 19, ids=ids)
    expected = run_layer(cell, x, state, weights, cotangents)

    leaves = [t.requires_grad_() for t in ([] if ids else [x]) + [*state, *weights] if t is not None]
    new_state, new_weights = tuple(spread(s) for s in state), tuple(spread(w) for w in weights)
    assert new_state[0] is not None
    assert not new_state[0].is_contiguous()
    output, last = kernels.recurrent(cell, spread(x), new_state, new_weights)  # type: ignore[arg-type]
    grads = torch.autograd.grad([output, *last], leaves, [spread(c) for c in cotangents])
    cases.same_bits([output.detach(), *(s.detach() for s in last), *grads], [*expected[0], *expected[1]])


def test_a_gradient_that_is_expanded():
    """sum() sends one number with strides of zero."""
    x, state, weights, _ = layer_inputs("gru", 5, 4, 6, 19)
    expected = run_layer("gru", x, state, weights, [torch.ones(5, 4, 19), None])[1]
    x.requires_grad_()
    kernels.recurrent("gru", x, state, weights)[0].sum().backward()
    assert x.grad is not None
    cases.same_bits([x.grad], expected[:1])


# --- against torch.nn ---


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize(
    ("kind", "options"),
    [("RNN", {"nonlinearity": "tanh"}), ("RNN", {"nonlinearity": "relu"}), ("GRU", {}), ("LSTM", {})],
)
def test_layers_agree_with_torch_nn(kind, options, layers, bias):
    ours = getattr(elman.torch, kind)(13, 37, layers, bias=bias, **options)
    theirs = getattr(torch.nn, kind)(13, 37, layers, bias=bias, **options, dtype=torch.float64)
    with torch.no_grad():
        for i, p in enumerate(ours.parameters()):
            p.copy_(numbers(p.shape, 70 + i, 0.2))
    theirs.load_state_dict(ours.state_dict())
    x, states = numbers((7, 5, 13), 1), [numbers((layers, 5, 37), 2 + i) for i in range(2 if kind == "LSTM" else 1)]
    cotangents = [numbers((7, 5, 37), 5), *(numbers(s.shape, 6 + i) for i, s in enumerate(states))]

    def run(layer, convert) -> list[Tensor]:
        inputs = [convert(t).clone().requires_grad_() for t in (x, *states)]
        output, last = layer(inputs[0], tuple(inputs[1:]) if kind == "LSTM" else inputs[1])
        results = [output, *(last if kind == "LSTM" else [last])]
        grads = torch.autograd.grad(results, [*inputs, *layer.parameters()], [convert(c) for c in cotangents])
        return [*(r.detach() for r in results), *grads]

    agree(run(ours, lambda t: t), run(theirs, lambda t: t.double()), TOLERANCE)


# --- the dense output ---


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "shape", [(7, 5, 13, 37), (1, 1, 1, 1), (0, 3, 4, 5), (3, 0, 4, 5), (130, 2, 290, 33)], ids=str
)
def test_linear(shape, bias):
    T, B, K, N = shape
    inputs = [numbers((T, B, K), 1), numbers((N, K), 2), numbers((N,), 3) if bias else None, numbers((T, B, N), 4)]
    with kernels.use("reference"):
        want = cases.run_linear(*doubles(inputs))
    agree(cases.run_linear(*inputs), want, TOLERANCE)


def test_linear_of_one_row():
    inputs = [numbers((13,), 1), numbers((5, 13), 2), numbers((5,), 3), numbers((5,), 4)]
    with kernels.use("reference"):
        want = cases.run_linear(*doubles(inputs))
    agree(cases.run_linear(*inputs), want, TOLERANCE)


@pytest.mark.parametrize("kept", [1 << 22, 0], ids=["logits kept", "computed again"])
@pytest.mark.parametrize(
    "shape", [(7, 5, 13, 37), (1, 1, 1, 1), (1, 1, 1, 2), (3, 2, 5, 16), (2, 3, 9, 5000), (31, 40, 6, 4100)], ids=str
)
def test_cross_entropy(shape, kept, monkeypatch):
    from elman.torch import dense_operators

    monkeypatch.setattr(dense_operators, "_KEPT_LOGITS", kept)
    inputs = cases.loss_inputs(*shape)
    with kernels.use("reference"):
        want = cases.run_loss(*doubles(inputs))
    agree(cases.run_loss(*inputs), want, TOLERANCE)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_cross_entropy_of_nothing(shape):
    """The mean of nothing is nan, as in torch; the gradients are zero or nan, but of the right shape."""
    _, weight, bias, _ = cases.loss_inputs(2, 2, 9, 21)
    leaves = [numbers((*shape, 9), 1).requires_grad_(), weight.requires_grad_(), bias.requires_grad_()]
    mean, nats = kernels.cross_entropy(leaves[0], leaves[1], leaves[2], torch.zeros(shape, dtype=torch.int64))
    assert mean.isnan()
    assert nats.shape == shape
    mean.backward()
    assert [t.grad.shape for t in leaves if t.grad is not None] == [t.shape for t in leaves]


def test_cross_entropy_of_extreme_logits():
    """One logit far above the rest, and the target elsewhere: nats near 200, no overflow."""
    hidden, weight, bias = torch.zeros(2, 1, 3), torch.zeros(35, 3), torch.zeros(35)
    bias[4], bias[30] = 100.0, -100.0
    mean, nats, _, _, d_bias = cases.run_loss(hidden, weight, bias, torch.tensor([[4], [30]]))
    assert nats.flatten().tolist() == [0.0, 200.0]
    assert mean.item() == 100.0
    torch.testing.assert_close(d_bias[[4, 30]], torch.tensor([0.0 + 0.85, -0.85]))


def test_one_dimensional_targets_and_frozen_weights():
    hidden, weight, bias, targets = (t[0] if i in (0, 3) else t for i, t in enumerate(cases.loss_inputs(1, 6, 9, 21)))
    hidden.requires_grad_()
    kernels.cross_entropy(hidden, weight, bias, targets)[0].backward()
    want = hidden.detach().double().requires_grad_()
    torch.nn.functional.cross_entropy(want @ weight.double().t() + bias.double(), targets).backward()
    assert hidden.grad is not None
    assert want.grad is not None
    agree([hidden.grad], [want.grad], TOLERANCE)


# --- dropout ---


def test_dropout_is_the_references_mask():
    for p, seed, offset in [(0.3, 5, 0), (0.5, 2**64 - 1, 7), (0.9, 2**63, 2**33 + 1)]:
        x = numbers((3, 5, 1001), 1).requires_grad_()
        y = kernels.dropout(x, p, seed, offset)
        cases.same_bits([y], [reference.dropout(x, p, seed, offset)])
        assert abs(float((y == 0).float().mean()) - p) < 0.02
        (grad,) = torch.autograd.grad(y, x, torch.ones_like(y))
        cases.same_bits([grad], [kernels.dropout(torch.ones_like(x), p, seed, offset)])
    assert torch.equal(kernels.dropout(x, 0.0, 1, 2), x)
    assert kernels.dropout(torch.zeros(0, 3), 0.5, 1, 2).shape == (0, 3)


# --- errors ---


def test_ids_outside_the_vocabulary():
    x, state, weights, _ = layer_inputs("gru", 3, 4, 6, 19, ids=True)
    for bad in (6, -1):
        x[1, 2] = bad
        with pytest.raises(IndexError, match=rf"^token ids must be in 0\.\.5, got {bad} at position 6$"):
            kernels.recurrent("gru", x, state, weights)
    hidden, weight, bias, targets = cases.loss_inputs(3, 4, 9, 21)
    targets[2, 3] = 21
    with pytest.raises(IndexError, match=r"^targets must be in -1\.\.20, got 21 at position 11$"):
        kernels.cross_entropy(hidden, weight, bias, targets)


def test_shapes_that_do_not_fit():
    x, state, weights, _ = layer_inputs("lstm", 3, 4, 6, 19)
    with pytest.raises(
        ValueError, match=r"h0 is torch.float32 \(3, 19\) on cpu; expected torch.float32 \(4, 19\) on cpu"
    ):
        kernels.recurrent("lstm", x, (state[0][:3], state[1]), weights)
    with pytest.raises(ValueError, match=r"c0 is torch.float64"):
        kernels.recurrent("lstm", x, (state[0], state[1].double()), weights)
    with pytest.raises(ValueError, match=r"x is .*expected torch.float32 \(2, 6\)"):
        kernels.linear(torch.zeros(2, 5), torch.zeros(5, 6), None)


# --- as operators of torch ---

CHECKS = ("test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_static")


@pytest.mark.parametrize("ids", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_opcheck_recurrent(cell, ids):
    x, state, weights, _ = layer_inputs(cell, 3, 2, 5, 7, ids=ids)
    leaves = [t.requires_grad_() for t in (*state, *weights) if t is not None]
    c0 = leaves[1] if cell == "lstm" else None
    args = (core.CELLS[cell].code, x if ids else x.requires_grad_(), leaves[0], c0, *leaves[len(state) :], True)
    torch.library.opcheck(torch.ops.elman.recurrent.default, args, test_utils=CHECKS)


def test_opcheck_the_rest():
    hidden, weight, bias, targets = cases.loss_inputs(3, 2, 5, 7)
    leaves = [t.requires_grad_() for t in (hidden, weight, bias)]
    torch.library.opcheck(torch.ops.elman.linear.default, tuple(leaves), test_utils=CHECKS)
    torch.library.opcheck(torch.ops.elman.cross_entropy.default, (*leaves, targets, True), test_utils=CHECKS)
    torch.library.opcheck(torch.ops.elman.dropout.default, (leaves[0], 0.5, 3, 4), test_utils=CHECKS)


def test_an_ordinary_torch_loop_trains_through_the_kernel():
    torch.manual_seed(1)
    corpus = elman.load_corpus("traveller")
    core_model = elman.build_model(corpus, cell="gru", hidden_size=32, num_layers=2, init_std=None)
    model = elman.torch.Module(core_model)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    ids = torch.from_numpy(corpus.vocabulary().encode(corpus.text[:1217]).astype("int64"))
    x, y = ids[:-1].view(8, -1).t(), ids[1:].view(8, -1).t()
    losses = []
    for _ in range(12):
        assert kernels.serving(next(model.parameters()))[0] == "cpu"
        loss, _, _ = model.loss(x, y)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.5
    assert core_model.loss(x.numpy(), y.numpy())[0] < losses[-1] + 0.1  # the very model that was trained


@pytest.mark.parametrize("cell", CELLS)
def test_autograd_gives_the_bits_of_loss_and_grads(cell):
    corpus = elman.Corpus("t", "abcdefghij", "none", "here")
    model = elman.build_model(corpus, cell=cell, hidden_size=21, num_layers=2, init_std=None)
    ids, targets = integers((6, 4), 11, 1), integers((6, 4), 11, 2)
    module = elman.torch.Module(model)
    loss, _, _ = module.loss(ids, targets)
    mean, _, grads = model.loss_and_grads(ids.numpy(), targets.numpy())
    assert loss.item() == mean
    mine = torch.autograd.grad(loss, list(module.parameters()))
    cases.same_bits(mine, [torch.from_numpy(g) for g in grads])


@pytest.mark.parametrize("cell", CELLS)
def test_the_written_derivatives_are_autograds(cell):
    """Of the NumPy reference, in float64, through several layers and a state."""
    x, state, weights, (d_out, *_) = layer_inputs(cell, 7, 5, 6, 9, seed=3)
    states: Any = tuple(doubles(state))
    leaves: Any = [t.requires_grad_() for t in doubles((x, *weights))]
    output, _ = reference.recurrent(cell, leaves[0], states, tuple(leaves[1:]))
    want = torch.autograd.grad(output, leaves, d_out.double())
    arrays: Any = [t.detach().numpy() for t in leaves]
    of_layer, first = tuple(arrays[1:]), tuple(s.numpy() for s in states)
    trace = numpy_reference._forward(core.CELLS[cell], arrays[0], first, of_layer)
    d_projected, grads = numpy_reference._backward(core.CELLS[cell], trace, of_layer, d_out.double().numpy())
    for mine, theirs in zip([d_projected @ arrays[1], *grads], want, strict=True):
        np.testing.assert_allclose(mine, theirs.numpy(), rtol=1e-10, atol=1e-13)


def test_flush_denormal_does_not_matter():
    x = torch.tensor([1e-40, -3e-39, 1.0]).repeat(16)
    weight = numbers((48, 48), 5)

    def results() -> list[Tensor]:
        powers = core.exp((x - 100.0).numpy())
        return [torch.from_numpy(powers), kernels.linear(x[None], weight, None)]

    before = results()
    assert ((before[0] != 0) & (before[0] < 1.2e-38)).any()  # so denormals do occur
    assert torch.set_flush_denormal(True)
    try:
        # A fresh thread of torch's keeps the flag; the kernel sets its own and puts torch's back.
        after = results()
        assert (torch.tensor(1e-40) * 1.0).item() == 0
    finally:
        torch.set_flush_denormal(False)
    cases.same_bits(after, before)
