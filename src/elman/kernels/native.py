"""The native kernel as a Backend: lays out arrays and calls `_cpu`. The arithmetic is in src/native, its contract in
docs/explanation/arithmetic.md."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ..errors import InputError
from . import _cpu
from .backend import Array, Cell, Dropout, LayerWeights, ModelWeights, State, StepResult, Update

CELLS = ("rnn_relu", "rnn_tanh", "gru", "lstm")
"""Cells of src/native; the reference serves another."""
_networks: WeakKeyDictionary[ModelWeights, _cpu.Network] = WeakKeyDictionary()
_packed: WeakKeyDictionary[ModelWeights, tuple[int, _cpu.Packed]] = WeakKeyDictionary()
"""Packed weights, with the fingerprint of those they were made from."""


def about() -> str:
    """Describe the kernel that serves here.

    Raises:
        InputError: ELMAN_ISA or ELMAN_THREADS is not something that this machine can do.
    """
    threads = os.environ.get("ELMAN_THREADS")
    if threads and not (threads.isdecimal() and 1 <= int(threads) <= 1024):
        raise InputError(f"ELMAN_THREADS is {threads!r}; expected a whole number in 1..1024")
    try:
        isa = _cpu.isa()
    except RuntimeError as error:
        raise InputError(str(error)) from None
    return f"{isa}, {_cpu.threads()} thread{'s' if _cpu.threads() > 1 else ''}"


def _network(network: ModelWeights) -> _cpu.Network:
    handle = _networks.get(network)
    if handle is None:
        handle = _cpu.Network(
            cell=network.cell.code,
            layers=list(network.layers),
            w_out=network.weight,
            b_out=network.bias,
            embedding=network.embedding,
        )
        _networks[network] = handle
    return handle


def _floats(x: Array) -> Array:
    return np.ascontiguousarray(x, dtype=np.float32)


def _ids(x: Array) -> Array:
    return np.ascontiguousarray(x, dtype=np.int64)


def _second(state: State) -> Array | None:
    return state[1] if len(state) > 1 else None


def _own(state: State) -> State:
    """A copy that the kernel may write to."""
    return tuple(np.array(part, dtype=np.float32, order="C") for part in state)


def _drops(dropout: Dropout | None) -> tuple[float, float, float, float, int, int]:
    d = dropout or Dropout(0.0, 0, 0)
    return d.p, d.hidden, d.output, d.weights, d.seed, d.offset


def recurrent(cell: Cell, x: Array, state: State, weights: LayerWeights) -> tuple[Array, State]:
    w_ih, w_hh, b_ih, b_hh = weights
    of_ids = x.dtype.kind in "iu"
    output = np.empty((*x.shape[:2], w_hh.shape[1]), dtype=np.float32)
    before = tuple(map(_floats, state))
    last = tuple(np.empty_like(part) for part in before)
    _cpu.recurrent(
        cell=cell.code,
        ids=_ids(x) if of_ids else None,
        x=None if of_ids else _floats(x),
        h0=before[0],
        c0=_second(before),
        w_ih=w_ih,
        w_hh=w_hh,
        b_ih=b_ih,
        b_hh=b_hh,
        out=output,
        hn=last[0],
        cn=_second(last),
    )
    return output, last


def linear(x: Array, weight: Array, bias: Array | None) -> Array:
    y = np.empty((*x.shape[:-1], weight.shape[0]), dtype=np.float32)
    _cpu.linear(x=_floats(x).reshape(-1, weight.shape[1]), w=weight, b=bias, y=y.reshape(-1, weight.shape[0]))
    return y


def cross_entropy(hidden: Array, weight: Array, bias: Array | None, targets: Array) -> tuple[float, Array]:
    nats = np.empty(targets.shape, dtype=np.float32)
    mean = _cpu.cross_entropy(hidden=_floats(hidden), w=weight, b=bias, targets=_ids(targets), nats=nats)
    return mean, nats


def run(network: ModelWeights, ids: Array, state: State) -> tuple[Array, State]:
    last = _own(state)
    hidden = np.empty((*ids.shape, network.hidden_size), dtype=np.float32)
    _network(network).run(ids=_ids(ids), h=last[0], c=_second(last), hidden=hidden)
    return hidden, last


def run_cells(network: ModelWeights, ids: Array, state: State) -> tuple[Array, Array, State]:
    last = _own(state)
    hidden = np.empty((*ids.shape, network.hidden_size), dtype=np.float32)
    cells = np.empty_like(hidden)
    _network(network).run(ids=_ids(ids), h=last[0], c=_second(last), hidden=hidden, cells=cells)
    return hidden, cells, last


def loss_and_grads(
    network: ModelWeights, ids: Array, targets: Array, state: State, dropout: Dropout | None
) -> tuple[float, State, list[Array]]:
    last = _own(state)
    grads = [np.empty_like(w) for w in network.weights()]
    mean = _network(network).loss_and_grads(
        ids=_ids(ids),
        targets=_ids(targets),
        h=last[0],
        c=_second(last),
        dropout=_drops(dropout),
        grads=[g.reshape(-1) for g in grads],
    )
    return mean, last, grads


class NativeStepper:
    """A Stepper: one native call for each step, the state updated in place."""

    def __init__(self, network: ModelWeights) -> None:
        self._network, self._handle, self.state = network, _network(network), network.begin_state(0)

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
            c=_second(self.state),
            dropout=_drops(dropout),
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
    params, flat = [w.reshape(-1) for w in weights], [_floats(g).reshape(-1) for g in grads]
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


class NativeDecoder:
    """A Decoder that also has the loop over characters in native code."""

    def __init__(self, over: Callable[[State, Array], Any], state: State, logits: Array) -> None:
        """over: makes a decoder of `_cpu`, whose state (L, B, H) each and logits (B, V) are these arrays."""
        self._over, self._handle, self.state, self.logits = over, over(state, logits), state, logits

    def read(self, ids: Array) -> None:
        self._handle.read(_ids(ids))

    def like(self, state: State, logits: Array) -> NativeDecoder:
        return NativeDecoder(
            self._over, tuple(np.array(part, order="C") for part in state), np.array(logits, order="C")
        )

    def generate(
        self,
        steps: int,
        bias: Array | None,
        exponent: float,
        draws: Array | None,
        *,
        top_k: int | None = None,
        top_p: float | None = None,
        min_p: float | None = None,
        penalty: float = 1.0,
        seen: Array | None = None,
        each: Array | None = None,
        counts: Array | None = None,
        trace: Array | None = None,
    ) -> Array:
        """The next ids, int64 (steps, B): the likeliest ones if exponent < 0, else those that draws, float64 (steps, B)
        in [0, 1), fall on.

        Args:
            bias: float32 (V,) or None. top_k, top_p, min_p, penalty: as `generation.Sampling` says.
            seen: uint8 (B, V), what the penalty is for, updated.
            each: float64 (B, 7), settings of every row in place of those above: exponent, penalty, top_k (0: all),
                top_p, min_p (below 0: all), presence and frequency penalty. Then `bias` is (B, V).
            counts: int64 (B, V), how often each row has written each id, updated.
            trace: float32 (steps, B, V), receives the logits before each choice.
        """
        ids = np.empty((steps, len(self.logits)), dtype=np.int64)
        sound = self._handle.generate(
            ids=ids,
            bias=bias,
            exponent=exponent,
            draws=draws,
            top_k=top_k or 0,
            top_p=-1.0 if top_p is None else top_p,
            min_p=-1.0 if min_p is None else min_p,
            penalty=penalty,
            seen=seen if penalty != 1 or each is not None else None,
            each=each,
            counts=counts,
            trace=trace,
        )
        if not sound:
            raise InputError("the model's logits are not numbers; its training has diverged")
        return ids


def decoder(network: ModelWeights, batch_size: int) -> NativeDecoder:
    """Packs the weights once, and again only when they have changed."""
    fingerprint = _network(network).fingerprint()
    known = _packed.get(network)
    if known is None or known[0] != fingerprint:
        known = _packed[network] = (fingerprint, _cpu.Packed(_network(network)))
    state, logits = network.begin_state(batch_size), np.zeros((batch_size, network.vocab_size), dtype=np.float32)
    packed = known[1]
    return NativeDecoder(
        lambda state, logits: _cpu.Decoder(packed, h=state[0], c=_second(state), logits=logits), state, logits
    )


def dropout(x: Array, p: float, seed: int, offset: int) -> Array:
    y = np.empty(x.shape, dtype=np.float32)
    _cpu.dropout(x=_floats(x).reshape(-1), y=y.reshape(-1), p=p, seed=seed, offset=offset)
    return y


def exp(x: Array) -> Array:
    y = np.empty(x.shape, dtype=np.float32)
    _cpu.exp(x=_floats(x).reshape(-1), y=y.reshape(-1))
    return y


def tanh(x: Array) -> Array:
    y = np.empty(x.shape, dtype=np.float32)
    _cpu.tanh(x=_floats(x).reshape(-1), y=y.reshape(-1))
    return y


def log_softmax(x: Array) -> Array:
    y = np.empty(x.shape, dtype=np.float32)
    _cpu.log_softmax(x=_floats(x).reshape(-1, x.shape[-1]), y=y.reshape(-1, x.shape[-1]))
    return y


def grad_norm(arrays: Sequence[Array]) -> float:
    return _cpu.grad_norm([_floats(a).reshape(-1) for a in arrays])
