"""The native kernel as a Backend: lays out arrays and calls `_cpu`. The arithmetic is in src/native, its contract in
docs/explanation/arithmetic.md."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from . import _cpu
from .backend import Array, Cell, Dropout, LayerWeights, ModelWeights, State, StepResult, Update
from .handles import drops, floats, int64s, native_network, own, second
from .native_decoder import decoder as decoder


def recurrent(cell: Cell, x: Array, state: State, weights: LayerWeights) -> tuple[Array, State]:
    w_ih, w_hh, b_ih, b_hh = weights
    of_ids = x.dtype.kind in "iu"
    output = np.empty((*x.shape[:2], w_hh.shape[1]), dtype=np.float32)
    before = tuple(map(floats, state))
    last = tuple(np.empty_like(part) for part in before)
    _cpu.recurrent(
        cell=cell.code,
        ids=int64s(x) if of_ids else None,
        x=None if of_ids else floats(x),
        h0=before[0],
        c0=second(before),
        w_ih=w_ih,
        w_hh=w_hh,
        b_ih=b_ih,
        b_hh=b_hh,
        out=output,
        hn=last[0],
        cn=second(last),
    )
    return output, last


def linear(x: Array, weight: Array, bias: Array | None) -> Array:
    y = np.empty((*x.shape[:-1], weight.shape[0]), dtype=np.float32)
    _cpu.linear(x=floats(x).reshape(-1, weight.shape[1]), w=weight, b=bias, y=y.reshape(-1, weight.shape[0]))
    return y


def cross_entropy(hidden: Array, weight: Array, bias: Array | None, targets: Array) -> tuple[float, Array]:
    nats = np.empty(targets.shape, dtype=np.float32)
    mean = _cpu.cross_entropy(hidden=floats(hidden), w=weight, b=bias, targets=int64s(targets), nats=nats)
    return mean, nats


def run(network: ModelWeights, ids: Array, state: State) -> tuple[Array, State]:
    last = own(state)
    hidden = np.empty((*ids.shape, network.hidden_size), dtype=np.float32)
    native_network(network).run(ids=int64s(ids), h=last[0], c=second(last), hidden=hidden)
    return hidden, last


def run_cells(network: ModelWeights, ids: Array, state: State) -> tuple[Array, Array, State]:
    last = own(state)
    hidden = np.empty((*ids.shape, network.hidden_size), dtype=np.float32)
    cells = np.empty_like(hidden)
    native_network(network).run(ids=int64s(ids), h=last[0], c=second(last), hidden=hidden, cells=cells)
    return hidden, cells, last


def loss_and_grads(
    network: ModelWeights,
    ids: Array,
    targets: Array,
    state: State,
    dropout: Dropout | None,
    nats: Array | None = None,
) -> tuple[float, State, list[Array]]:
    last = own(state)
    grads = [np.empty_like(w) for w in network.weights()]
    mean = native_network(network).loss_and_grads(
        ids=int64s(ids),
        targets=int64s(targets),
        h=last[0],
        c=second(last),
        dropout=drops(dropout),
        grads=[g.reshape(-1) for g in grads],
        nats=nats,
    )
    return mean, last, grads


class NativeStepper:
    """A Stepper: one native call for each step, the state updated in place."""

    concurrent: bool = True

    def __init__(self, network: ModelWeights) -> None:
        self._network, self._handle, self.state = network, native_network(network), network.begin_state(0)

    def step(self, ids: Array, targets: Array, fresh: bool, dropout: Dropout | None, update: Update) -> StepResult:
        rows = ids.shape[1]
        if fresh:
            self.state = self._network.begin_state(rows)
        elif rows < self.state[0].shape[1]:
            self.state = tuple(np.ascontiguousarray(part[:, :rows]) for part in self.state)
        loss, norm, layer_norms = self._handle.step(
            ids=ids,
            targets=targets,
            h=self.state[0],
            c=second(self.state),
            dropout=drops(dropout),
            lr=update.lr,
            clip=update.clip or 0.0,
            exp_avg=update.exp_avg,  # type: ignore[arg-type]
            exp_avg_sq=update.exp_avg_sq,  # type: ignore[arg-type]
            step=update.step,
            weight_decay=update.weight_decay,
            beta1=update.beta1,
            beta2=update.beta2,
            eps=update.eps,
            muon=list(update.muon),
            momentum=update.momentum,
            average=update.average,  # type: ignore[arg-type]
            average_keep=update.average_keep,
        )
        return StepResult(loss, norm, layer_norms)

    def sync(self) -> None: ...


def update(network: ModelWeights, grads: Sequence[Array], how: Update, sound: bool) -> tuple[float, list[float]]:
    norm, layer_norms = grad_norm(grads), [grad_norm(part) for part in network.groups(grads)]
    if not (sound and math.isfinite(norm)):
        return norm, layer_norms
    scale = float(np.float32(how.clip / norm)) if how.clip and norm > how.clip else 1.0
    apply(network.weights(), grads, how, scale, network.cell.gates)
    if how.average:
        average(network.weights(), how.average, how.average_keep)
    return norm, layer_norms


def apply(weights: Sequence[Array], grads: Sequence[Array], how: Update, scale: float, blocks: int) -> None:
    params, flat = [w.reshape(-1) for w in weights], [floats(g).reshape(-1) for g in grads]
    if not how.exp_avg:
        _cpu.sgd(params=params, grads=flat, lr=how.lr, scale=scale)
        return
    by_muon = how.muon or [False] * len(params)
    for w, g, m, muon in zip(weights, flat, how.exp_avg, by_muon, strict=True):
        if muon:
            _cpu.muon(
                w=w, g=g.reshape(w.shape), m=m.reshape(w.shape), blocks=blocks, lr=how.lr,
                momentum=how.momentum, weight_decay=how.weight_decay, scale=scale,
            )  # fmt: skip
    others = [i for i, muon in enumerate(by_muon) if not muon]
    lists = {"params": params, "grads": flat, "exp_avg": how.exp_avg, "exp_avg_sq": how.exp_avg_sq}
    _cpu.adamw(
        **{name: [values[i] for i in others] for name, values in lists.items()}, step=how.step, lr=how.lr,
        beta1=how.beta1, beta2=how.beta2, eps=how.eps, weight_decay=how.weight_decay, scale=scale,
    )  # fmt: skip


def average(weights: Sequence[Array], averages: Sequence[Array], keep: float) -> None:
    _cpu.average(params=[w.reshape(-1) for w in weights], averages=list(averages), keep=keep)


def stepper(network: ModelWeights) -> NativeStepper:
    return NativeStepper(network)


def dropout(x: Array, p: float, seed: int, offset: int) -> Array:
    y = np.empty(x.shape, dtype=np.float32)
    _cpu.dropout(x=floats(x).reshape(-1), y=y.reshape(-1), p=p, seed=seed, offset=offset)
    return y


def exp(x: Array) -> Array:
    y = np.empty(x.shape, dtype=np.float32)
    _cpu.exp(x=floats(x).reshape(-1), y=y.reshape(-1))
    return y


def tanh(x: Array) -> Array:
    y = np.empty(x.shape, dtype=np.float32)
    _cpu.tanh(x=floats(x).reshape(-1), y=y.reshape(-1))
    return y


def log_softmax(x: Array) -> Array:
    y = np.empty(x.shape, dtype=np.float32)
    _cpu.log_softmax(x=floats(x).reshape(-1, x.shape[-1]), y=y.reshape(-1, x.shape[-1]))
    return y


def threads() -> int:
    return _cpu.threads()


def compute_alone() -> None:
    _cpu.compute_alone()


def grad_norm(arrays: Sequence[Array]) -> float:
    return _cpu.grad_norm([floats(a).reshape(-1) for a in arrays])
