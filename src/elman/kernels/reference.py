"""The definition of every operation in plain NumPy, one step of time after another, with the derivatives written out.

GRU (r, z, n) with the reset gate applied after the matrix product, as in torch and cuDNN; LSTM (i, f, g, o). The sums
of a matrix product are NumPy's, whose order is not defined, so the native kernel agrees up to rounding; its own order
is in docs/explanation/arithmetic.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .backend import Array, Cell, Dropout, LayerWeights, ModelWeights, State, StepResult, Update


def sigmoid(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, np.float32(1)) / (1 + e)


# --- one step of a cell, and back ---
#
# A forward step takes x (B, GH), the input's share of the pre-activations, and h (B, GH), the recurrent share, with the
# state before; it returns the state after and what its derivative needs. A backward step takes that and the gradient of
# the state after; it returns the gradients of x, of h, and of the state before as far as it does not go through W_hh.


def _rnn_relu(x: Array, h: Array, state: State) -> tuple[State, Array]:
    after = np.maximum(x + h, 0)
    return (after,), after


def _rnn_relu_back(saved: Array, grad: State, state: State) -> tuple[Array, Array, State]:
    d = np.where(saved > 0, grad[0], np.float32(0))
    return d, d, (np.zeros_like(d),)


def _rnn_tanh(x: Array, h: Array, state: State) -> tuple[State, Array]:
    after = np.tanh(x + h)
    return (after,), after


def _rnn_tanh_back(saved: Array, grad: State, state: State) -> tuple[Array, Array, State]:
    d = grad[0] * (1 - saved * saved)
    return d, d, (np.zeros_like(d),)


def _gru(x: Array, h: Array, state: State) -> tuple[State, Array]:
    (xr, xz, xn), (hr, hz, hn) = np.split(x, 3, -1), np.split(h, 3, -1)
    r, z = sigmoid(xr + hr), sigmoid(xz + hz)
    n = np.tanh(xn + r * hn)
    return (n + z * (state[0] - n),), np.stack((r, z, n, hn))


def _gru_back(saved: Array, grad: State, state: State) -> tuple[Array, Array, State]:
    (r, z, n, hn), g = saved, grad[0]
    dn = g * (1 - z) * (1 - n * n)
    dz = g * (state[0] - n) * z * (1 - z)
    dr = dn * hn * r * (1 - r)
    return np.concatenate((dr, dz, dn), -1), np.concatenate((dr, dz, dn * r), -1), (g * z,)


def _lstm(x: Array, h: Array, state: State) -> tuple[State, Array]:
    i, f, g, o = np.split(x + h, 4, -1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    c = f * state[1] + i * g
    return (o * np.tanh(c), c), np.stack((i, f, g, o, c))


def _lstm_back(saved: Array, grad: State, state: State) -> tuple[Array, Array, State]:
    i, f, g, o, c = saved
    squashed = np.tanh(c)
    dc = grad[1] + grad[0] * o * (1 - squashed * squashed)
    do = grad[0] * squashed * o * (1 - o)
    d = np.concatenate((dc * g * i * (1 - i), dc * state[1] * f * (1 - f), dc * i * (1 - g * g), do), -1)
    return d, d, (np.zeros_like(dc), dc * f)


_Step = Callable[[Array, Array, State], tuple[State, Array]]
_StepBack = Callable[[Array, State, State], tuple[Array, Array, State]]
_STEPS: dict[str, tuple[_Step, _StepBack]] = {
    "rnn_relu": (_rnn_relu, _rnn_relu_back),
    "rnn_tanh": (_rnn_tanh, _rnn_tanh_back),
    "gru": (_gru, _gru_back),
    "lstm": (_lstm, _lstm_back),
}


# --- a layer ---


@dataclass
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
    projected, step = _project(x, w_ih, b_ih), _STEPS[cell.name][0]
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
    back, grad = _STEPS[cell.name][1], tuple(np.zeros_like(part) for part in trace.states[0])
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


def _traces(network: ModelWeights, ids: Array, state: State, masks: _Masks | None = None) -> list[_Trace]:
    traces, x = [], ids if network.embedding is None else network.embedding[ids]
    for layer, weights in enumerate(network.layers):
        if masks:
            x, weights = masks.of_input(layer, x), masks.of_weights(layer, weights)
        traces.append(_forward(network.cell, x, tuple(part[layer] for part in state), weights))
        x = traces[-1].output
    return traces


class _Masks:
    """The masks of one step, applied to what goes forward and to the gradients that come back."""

    def __init__(self, settings: Dropout, network: ModelWeights, steps: int, rows: int) -> None:
        self.settings, self.begins = settings, settings.begins(network, steps, rows)

    def _mask(self, kind: str, index: int, x: Array, together: bool = False) -> Array:
        """together: one mask for all of x's first axis."""
        share, size = getattr(self.settings, kind), x[0].size if together else x.size
        if not share or not x.size:
            return x
        begin = self.begins[kind] + index * size
        parts = x if together else x[None]
        masked = [dropout(part, share, self.settings.seed, begin) for part in parts]
        return np.stack(masked) if together else masked[0]

    def of_input(self, layer: int, x: Array) -> Array:
        return self._mask("hidden", layer - 1, self._mask("p", layer - 1, x), together=True) if layer else x

    def of_output(self, x: Array) -> Array:
        return self._mask("output", 0, x, together=True)

    def of_recurrent(self, layer: int, w_hh: Array) -> Array:
        return self._mask("weights", layer, w_hh)

    def of_weights(self, layer: int, weights: LayerWeights) -> LayerWeights:
        w_ih, w_hh, b_ih, b_hh = weights
        return w_ih, self.of_recurrent(layer, w_hh), b_ih, b_hh


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
    network: ModelWeights, ids: Array, targets: Array, state: State, dropout_: Dropout | None
) -> tuple[float, State, list[Array]]:
    masks = _Masks(dropout_ or Dropout(0.0, 0, 0), network, *ids.shape)
    traces = _traces(network, ids, state, masks)
    hidden = masks.of_output(traces[-1].output)
    mean, _ = cross_entropy(hidden, network.weight, network.bias, targets)
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


def apply(weights: Sequence[Array], grads: Sequence[Array], how: Update, scale: float, blocks: int) -> None:
    """SGD; or Muon for its weights, and for the others AdamW with decoupled weight decay, of which 0 makes it Adam.

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization" (2019).
    """
    u, grads = how, [g * np.float32(scale) for g in grads]
    if not u.exp_avg:
        for w, g in zip(weights, grads, strict=True):
            w -= g * np.float32(u.lr)
        return
    correction1, correction2 = 1 - u.beta1**u.step, math.sqrt(1 - u.beta2**u.step)
    by_muon = u.muon or [False] * len(weights)
    for w, grad, m, v, muon_s in zip(weights, grads, u.exp_avg, u.exp_avg_sq, by_muon, strict=True):
        if muon_s:
            muon(w, grad, m, blocks, u.lr, u.momentum, u.weight_decay)
            continue
        g = grad.reshape(-1)
        m[:] = m * np.float32(u.beta1) + g * np.float32(1 - u.beta1)
        v[:] = v * np.float32(u.beta2) + g * g * np.float32(1 - u.beta2)
        below = np.sqrt(v) / np.float32(correction2) + np.float32(u.eps)
        w *= np.float32(1 - u.lr * u.weight_decay)
        w -= (m / below).reshape(w.shape) * np.float32(u.lr / correction1)


def average(weights: Sequence[Array], averages: Sequence[Array], keep: float) -> None:
    for w, mean in zip(weights, averages, strict=False):
        mean += (w.reshape(-1) - mean) * np.float32(1 - keep)


def muon(w: Array, g: Array, m: Array, blocks: int, lr: float, momentum: float, weight_decay: float) -> None:
    """One update by Muon, in place; see src/native/float/muon.h.

    Args:
        w, g: (blocks * rows, columns), a block for each gate. m: the momentum, (w.size,).
    """
    m[:] = m * np.float32(momentum) + g.reshape(-1)
    ahead = (g.reshape(-1) + m * np.float32(momentum)).reshape(blocks, -1, w.shape[1])
    larger = max(ahead.shape[1:])
    step = np.concatenate([_orthogonal(u) for u in ahead])
    w *= np.float32(1 - lr * weight_decay)
    w -= step * np.float32(lr * 0.2 * math.sqrt(larger))


def _orthogonal(u: Array) -> Array:
    """Five Newton-Schulz steps from u (rows, columns) / |u| bring its singular values near 1."""
    x = u.T if u.shape[0] > u.shape[1] else u
    x = x * np.float32(1 / (math.sqrt(float(np.square(x, dtype=np.float64).sum())) + 1e-7))
    for _ in range(5):
        a = x @ x.T
        x = np.float32(3.4445) * x + (np.float32(-4.7750) * a + np.float32(2.0315) * (a @ a)) @ x
    return x.T if u.shape[0] > u.shape[1] else x


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


def dropout(x: Array, p: float, seed: int, offset: int) -> Array:
    first, skip = divmod(offset, 4)
    words = philox(seed, first, (skip + x.size + 3) // 4).reshape(-1)[skip : skip + x.size]
    keep = words >= round(p * 2**32)
    return np.where(keep.reshape(x.shape), x * np.float32(1.0 / (1.0 - p)), np.float32(0))


def philox(seed: int, first: int, blocks: int) -> Array:
    """Philox4x32-10: uint64 (blocks, 4) of 32-bit words, for counters first .. first+blocks-1 and a 64-bit key.

    Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011).
    """
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    counter = np.arange(blocks, dtype=np.uint64) + np.uint64(first % 2**64)
    a, b, c, d = counter & low, counter >> half, np.zeros_like(counter), np.zeros_like(counter)
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        p0, p1 = a * np.uint64(0xD2511F53), c * np.uint64(0xCD9E8D57)
        a, b, c, d = (p1 >> half) ^ b ^ np.uint64(k0), p1 & low, (p0 >> half) ^ d ^ np.uint64(k1), p0 & low
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack((a, b, c, d), -1)


def exp(x: Array) -> Array:
    return np.exp(x)


def tanh(x: Array) -> Array:
    return np.tanh(x)


def grad_norm(arrays: Sequence[Array]) -> float:
    return math.sqrt(sum(float(np.square(a, dtype=np.float64).sum()) for a in arrays))
