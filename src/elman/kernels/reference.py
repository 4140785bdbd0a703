"""The definition of every operation in plain NumPy, one step of time after another, with the derivatives written out.

GRU (r, z, n) with the reset gate applied after the matrix product, as in torch and cuDNN; LSTM (i, f, g, o). The sums
of a matrix product are NumPy's, whose order is not defined, so the native kernel agrees up to rounding; its own order
is in docs/explanation/arithmetic.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .backend import Array, Cell, Dropout, LayerWeights, ModelWeights, State, StepResult, Update
from .cell_steps import STEPS
from .masks import Masks
from .masks import dropout as dropout
from .optimisers import apply, average

# --- a layer ---


@dataclass(eq=False)
class _Trace:
    """A layer's forward pass: all that its backward pass needs."""

    x: Array
    output: Array
    states: list[State]
    """Before each step, and after the last."""
    saved: list[Array]


def _project(x: Array, w_ih: Array, b_ih: Array | None) -> Array:
    """(T, B, GH). Token ids select columns: one-hot without the zeros."""
    projected = w_ih.T[x] if x.dtype.kind in "iu" else x @ w_ih.T
    return projected if b_ih is None else projected + b_ih


def _forward(cell: Cell, x: Array, state: State, weights: LayerWeights) -> _Trace:
    w_ih, w_hh, b_ih, b_hh = weights
    projected, step = _project(x, w_ih, b_ih), STEPS[cell.name][0]
    trace = _Trace(x, np.empty((*x.shape[:2], w_hh.shape[1]), dtype=w_hh.dtype), [state], [])
    for t in range(len(x)):
        state, saved = step(projected[t], linear(state[0], w_hh, b_hh), state)
        trace.output[t] = state[0]
        trace.states.append(state)
        trace.saved.append(saved)
    return trace


def _backward(cell: Cell, trace: _Trace, weights: LayerWeights, d_output: Array) -> tuple[Array, list[Array]]:
    """Gradients of the pre-activations' input share, (T, B, GH), and of the weights, from the output's gradient."""
    w_ih, w_hh, b_ih, b_hh = weights
    back, grad = STEPS[cell.name][1], tuple(np.zeros_like(part) for part in trace.states[0])
    d_projected = np.empty((*trace.x.shape[:2], len(w_hh)), dtype=w_hh.dtype)
    d_recurrent = np.empty_like(d_projected)
    for t in reversed(range(len(trace.x))):
        grad = (grad[0] + d_output[t], *grad[1:])
        d_projected[t], d_recurrent[t], grad = back(trace.saved[t], grad, trace.states[t])
        grad = (grad[0] + d_recurrent[t] @ w_hh, *grad[1:])
    d_w_ih = np.zeros_like(w_ih)
    if trace.x.dtype.kind in "iu":
        np.add.at(d_w_ih.T, trace.x, d_projected)
    else:
        d_w_ih += np.einsum("tbg,tbi->gi", d_projected, trace.x)
    before = np.stack([state[0] for state in trace.states[:-1]]) if len(trace.x) else trace.output
    grads = [d_w_ih, np.einsum("tbg,tbh->gh", d_recurrent, before)]
    if b_ih is not None and b_hh is not None:
        grads += [d_projected.sum((0, 1)), d_recurrent.sum((0, 1))]
    return d_projected, grads


def recurrent(cell: Cell, x: Array, state: State, weights: LayerWeights) -> tuple[Array, State]:
    trace = _forward(cell, x, state, weights)
    return trace.output, trace.states[-1]


# --- the dense output ---


def linear(x: Array, weight: Array, bias: Array | None) -> Array:
    y = x @ weight.T
    return y if bias is None else y + bias


def log_softmax(x: Array) -> Array:
    shifted = x - x.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def cross_entropy(hidden: Array, weight: Array, bias: Array | None, targets: Array) -> tuple[float, Array]:
    counted = targets >= 0
    chosen = np.take_along_axis(
        log_softmax(linear(hidden, weight, bias)), np.where(counted, targets, 0)[..., None], -1
    )[..., 0]
    nats = np.where(counted, -chosen, np.float32(0))
    return (float(nats.sum() / counted.sum()) if counted.any() else math.nan), nats


# --- a whole model ---


def _traces(network: ModelWeights, ids: Array, state: State, masks: Masks | None = None) -> list[_Trace]:
    traces, x = [], ids if network.embedding is None else network.embedding[ids]
    for layer, weights in enumerate(network.layers):
        if masks:
            x, weights = masks.of_input(layer, x), masks.of_weights(layer, weights)
        traces.append(_forward(network.cell, x, tuple(part[layer] for part in state), weights))
        x = traces[-1].output
    return traces


def _last(traces: list[_Trace]) -> State:
    return tuple(np.stack(parts) for parts in zip(*(trace.states[-1] for trace in traces), strict=True))


def run(network: ModelWeights, ids: Array, state: State) -> tuple[Array, State]:
    traces = _traces(network, ids, state)
    return traces[-1].output, _last(traces)


def run_cells(network: ModelWeights, ids: Array, state: State) -> tuple[Array, Array, State]:
    traces = _traces(network, ids, state)
    cells = [after[1] for after in traces[-1].states[1:]]
    return traces[-1].output, np.stack(cells) if cells else traces[-1].output, _last(traces)


def loss_and_grads(
    network: ModelWeights,
    ids: Array,
    targets: Array,
    state: State,
    dropout_: Dropout | None,
    nats: Array | None = None,
) -> tuple[float, State, list[Array]]:
    masks = Masks(dropout_ or Dropout(0.0, 0, 0), network, *ids.shape)
    traces = _traces(network, ids, state, masks)
    hidden = masks.of_output(traces[-1].output)
    mean, of_each = cross_entropy(hidden, network.weight, network.bias, targets)
    if nats is not None:
        nats[...] = of_each
    d, counted = np.exp(log_softmax(linear(hidden, network.weight, network.bias))), (targets >= 0)[..., None]
    rows = d.reshape(targets.size, -1)
    rows[np.arange(len(rows)), np.maximum(targets, 0).reshape(-1)] -= 1
    d = np.where(counted, d, np.float32(0)) / np.float32(max(1, counted.sum()))
    grads = [np.einsum("tbv,tbh->vh", d, hidden)] + ([d.sum((0, 1))] if network.bias is not None else [])
    d = masks.of_output(d @ network.weight)
    for layer in reversed(range(len(network.layers))):
        weights = masks.of_weights(layer, network.layers[layer])
        d, of_layer = _backward(network.cell, traces[layer], weights, d)
        of_layer[1] = masks.of_recurrent(layer, of_layer[1])
        grads = of_layer + grads
        if layer:
            d = masks.of_input(layer, d @ network.layers[layer][0])
    if network.embedding is not None:
        of_embedding = np.zeros_like(network.embedding)
        np.add.at(of_embedding, ids, d @ network.layers[0][0])
        grads.insert(0, of_embedding)
    return mean, _last(traces), grads


class ReferenceStepper:
    """A Stepper: gradients, norms, clipping and the update, one after the other."""

    concurrent: bool = False

    def __init__(self, network: ModelWeights) -> None:
        self._network, self.state = network, network.begin_state(0)

    def step(self, ids: Array, targets: Array, fresh: bool, dropout: Dropout | None, update: Update) -> StepResult:
        network, rows = self._network, ids.shape[1]
        if fresh:
            self.state = network.begin_state(rows)
        state = tuple(part[:, :rows] for part in self.state)
        loss, self.state, grads = loss_and_grads(network, ids, targets, state, dropout)
        return StepResult(loss, *_update(network, grads, update, math.isfinite(loss)))

    def sync(self) -> None: ...


def stepper(network: ModelWeights) -> ReferenceStepper:
    return ReferenceStepper(network)


def update(network: ModelWeights, grads: Sequence[Array], how: Update, sound: bool) -> tuple[float, list[float]]:
    norm = grad_norm(grads)
    if sound and math.isfinite(norm):
        scale = how.clip / norm if how.clip and norm > how.clip else 1.0
        apply(network.weights(), grads, how, scale, network.cell.gates)
        average(network.weights(), how.average, how.average_keep)
    return norm, [grad_norm(part) for part in network.groups(grads)]


_update = update


class ReferenceDecoder:
    """A Decoder that runs the network a call at a time."""

    def __init__(self, network: ModelWeights, batch_size: int) -> None:
        self._network, self.state = network, network.begin_state(batch_size)
        self.logits = np.zeros((batch_size, network.vocab_size), dtype=np.float32)

    def read(self, ids: Array) -> None:
        if len(ids):
            hidden, self.state = run(self._network, ids, self.state)
            self.logits = linear(hidden[-1], self._network.weight, self._network.bias)

    def like(self, state: State, logits: Array) -> ReferenceDecoder:
        other = ReferenceDecoder(self._network, 0)
        other.state, other.logits = tuple(np.array(part) for part in state), np.array(logits)
        return other


def decoder(network: ModelWeights, batch_size: int) -> ReferenceDecoder:
    return ReferenceDecoder(network, batch_size)


# --- element by element ---


def exp(x: Array) -> Array:
    return np.exp(x)


def tanh(x: Array) -> Array:
    return np.tanh(x)


def grad_norm(arrays: Sequence[Array]) -> float:
    return math.sqrt(sum(float(np.square(a, dtype=np.float64).sum()) for a in arrays))
