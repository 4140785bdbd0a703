"""The golden results of the float kernel: every operation, a short training for each recipe, and its model's uses.

Sizes are odd, which gives tiles and vectors edges, and large enough that several threads have work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .. import kernels
from ..corpora import load_corpus
from ..generation import generate
from ..kernels import _cpu
from ..model import LanguageModel
from ..recipes import Recipe
from ..training import build_model, fit
from . import uses
from .inputs import Array, digest, layer_inputs, loss_inputs, numbers

CELLS = tuple(kernels.CELLS)
ISAS = ("portable", "avx2", "avx512", "neon")


# --- the recurrent layer ---


def forward(cell: str, x: Array, state: kernels.State, weights: kernels.LayerWeights) -> dict[str, Any]:
    """Run a layer and keep what backward needs: the arguments of `_cpu.recurrent` by name, its results among them."""
    kind, (T, B), H = kernels.CELLS[cell], x.shape[:2], weights[1].shape[1]
    is_ids, lstm = x.dtype == np.int64, cell == "lstm"
    w_ih, w_hh, b_ih, b_hh = weights
    run = {
        "cell": kind.code, "ids": np.ascontiguousarray(x) if is_ids else None,
        "x": None if is_ids else np.ascontiguousarray(x), "h0": np.ascontiguousarray(state[0]),
        "c0": np.ascontiguousarray(state[1]) if lstm else None,
        "w_ih": w_ih, "w_hh": w_hh, "b_ih": b_ih, "b_hh": b_hh, "out": unset((T, B, H)), "hn": unset((B, H)),
        "cn": unset((B, H)) if lstm else None, "gates": unset((T, B, kind.saved * H)) if kind.saved else None,
        "cells": unset((T, B, H)) if lstm else None,
    }  # fmt: skip
    _cpu.recurrent(**run)
    return run


def backward(
    run: dict[str, Any], d_out: Array | None, d_state: Sequence[Array | None], into: list[Array] | None = None
) -> list[Array]:
    """The gradients of x (if real), the states and the weights. into: weight gradients to add to."""
    lstm = run["c0"] is not None
    weights = [run[name] for name in ("w_ih", "w_hh", "b_ih", "b_hh")]
    d_weights = [unset(w.shape) if w is not None else None for w in weights]
    if into is not None:
        d_weights = [*into, None, None][:4]
    d_x = None if run["x"] is None else unset(run["x"].shape)
    d_h0, d_c0 = unset(run["h0"].shape), unset(run["h0"].shape) if lstm else None
    keep = ("cell", "ids", "x", "h0", "c0", "w_ih", "w_hh", "out", "gates", "cells")
    names = ("d_w_ih", "d_w_hh", "d_b_ih", "d_b_hh")
    dense = [None if d is None else np.ascontiguousarray(d) for d in (d_out, *d_state)]
    _cpu.recurrent_backward(
        **{name: run[name] for name in keep}, d_out=dense[0], d_hn=dense[1], d_cn=dense[2] if lstm else None, d_x=d_x,
        d_h0=d_h0, d_c0=d_c0, **dict(zip(names, d_weights, strict=True)), accumulate=into is not None,
    )  # fmt: skip
    return [g for g in (d_x, d_h0, d_c0, *d_weights) if g is not None]


def unset(shape: Sequence[int]) -> Array:
    """An array of NaN, in which an element that is not written shows."""
    return np.full(shape, np.nan, dtype=np.float32)


def run_layer(
    cell: str, x: Array, state: kernels.State, weights: kernels.LayerWeights, cotangents: Sequence[Array | None]
) -> tuple[list[Array], list[Array]]:
    """Output and states, and the gradients of x (if real), the states and the weights."""
    run = forward(cell, x, state, weights)
    outputs = [run[name] for name in ("out", "hn", "cn") if run[name] is not None]
    return outputs, backward(run, cotangents[0], cotangents[1:])


def _layer(cell: str, **sizes: Any) -> list[Array]:
    outputs, grads = run_layer(cell, *layer_inputs(cell, **sizes))
    return [*outputs, *grads]


def _long_layer(cell: str) -> list[Array]:
    """More rows than a block of the weight gradients' sums, and threads with tiles of eight."""
    return _layer(cell, T=33, B=19, I=5, H=41)


# --- the rest ---


def run_loss(hidden: Array, weight: Array, bias: Array | None, targets: Array, keep: bool = True) -> list[Array]:
    """mean, nats, and the gradients of 1.7 times the mean. keep: the logits, for backward."""
    given = {"hidden": hidden, "w": weight, "b": bias, "targets": targets}
    nats, saved = unset(targets.shape), unset((*targets.shape, len(weight))) if keep else None
    mean = _cpu.cross_entropy(**given, nats=nats, saved=saved)
    grads = [unset(a.shape) if a is not None else None for a in (hidden, weight, bias)]
    _cpu.cross_entropy_backward(
        **given, saved=saved, d_mean=float(np.float32(1.7)), d_hidden=grads[0], d_w=grads[1], d_b=grads[2]
    )
    return [np.array(mean, dtype=np.float32), nats, *(g for g in grads if g is not None)]


def run_linear(x: Array, weight: Array, bias: Array | None, cotangent: Array) -> list[Array]:
    """y, and the gradients. x: (T, B, K) or (B, K)."""
    rows = x if x.ndim == 3 else x[None]
    grads = [unset(rows.shape), unset(weight.shape), None if bias is None else unset(bias.shape)]
    d_y = cotangent if x.ndim == 3 else cotangent[None]
    _cpu.linear_backward(x=rows, w=weight, d_y=d_y, d_x=grads[0], d_w=grads[1], d_b=grads[2])
    assert grads[0] is not None
    d_x = grads[0].reshape(x.shape)
    return [kernels.linear(x, weight, bias), d_x, *(g for g in grads[1:] if g is not None)]


def arrays(seed: int, scale: float = 1.0) -> list[Array]:
    """Odd sizes, one of them with several of the updates' chunks, one empty."""
    return [numbers((n,), seed + i, scale) for i, n in enumerate((7, 70_001, 0, 33))]


def _norm() -> list[Array]:
    return [np.array(kernels.grad_norm(arrays(30)))]


def _sgd() -> list[Array]:
    params = arrays(30)
    _cpu.sgd(params=params, grads=arrays(40), lr=0.3, scale=0.7)
    return params


def adamw(params: list[Array], grads: list[Array], m: list[Array], v: list[Array], step: int, **changes: float) -> None:
    settings = {"lr": 0.01, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0, "scale": 1.0} | changes
    _cpu.adamw(params=params, grads=grads, exp_avg=m, exp_avg_sq=v, step=step, **settings)


def _adamw() -> list[Array]:
    params, m, v = arrays(30), arrays(50, 0.0), arrays(60, 0.0)
    for step in (1, 2, 3):
        adamw(params, arrays(40 + 100 * step), m, v, step, weight_decay=0.1, scale=0.7)
    return [*params, *m, *v]


def muon(w: Array, g: Array, m: Array, blocks: int, **changes: float) -> None:
    settings = {"lr": 0.01, "momentum": 0.95, "weight_decay": 0.0, "scale": 1.0} | changes
    _cpu.muon(w=w, g=g, m=m, blocks=blocks, **settings)


def _muon() -> list[Array]:
    """Square, wide and tall blocks; of one panel, of several, and of one row."""
    result = []
    for blocks, rows, columns in ((3, 70, 70), (1, 41, 300), (2, 90, 33), (4, 1, 5), (1, 1, 1)):
        w, m = numbers((blocks * rows, columns), 30), numbers((blocks * rows, columns), 31, 0.0)
        for step in (1, 2):
            muon(w, numbers(w.shape, 40 + step), m, blocks, weight_decay=0.1, scale=0.7)
        result += [w, m]
    return result


def _average() -> list[Array]:
    averages = arrays(50)
    for step in (1, 2):
        _cpu.average(params=arrays(30 + 100 * step), averages=averages, keep=0.9)
    return averages


def philox(seed: int, offset: int, count: int) -> Array:
    """uint32 (count,) of the kernel's words."""
    words = np.empty(count, dtype=np.uint32)
    _cpu.philox(words=words, seed=seed, offset=offset)
    return words


def math(name: str, x: Array) -> Array:
    """exp, log, tanh or sigmoid."""
    x = np.ascontiguousarray(x)
    y = np.empty_like(x)
    getattr(_cpu, name)(x=x.reshape(-1), y=y.reshape(-1))
    return y


def _math() -> list[Array]:
    x = np.arange(0, 2**32, 65_537).astype(np.uint32).view(np.float32)  # every kind of float
    x = x[~np.isnan(x)]  # NaN has no promised bits
    return [math("exp", x), math("log", abs(x)), math("tanh", x), math("sigmoid", x)]


OPERATIONS: dict[str, Callable[[], list[Array]]] = {
    **{f"{c} real": lambda c=c: _layer(c, T=7, B=5, I=13, H=37) for c in CELLS},
    **{f"{c} ids": lambda c=c: _layer(c, T=7, B=5, I=13, H=37, ids=True) for c in CELLS},
    **{f"{c} ids by position": lambda c=c: _layer(c, T=3, B=2, I=29, H=16, ids=True, bias=False) for c in CELLS},
    **{f"{c} long": lambda c=c: _long_layer(c) for c in CELLS},
    "linear": lambda: run_linear(
        numbers((9, 7, 45), 10), numbers((35, 45), 11), numbers((35,), 12), numbers((9, 7, 35), 13)),
    "linear deep": lambda: run_linear(numbers((3, 600), 10), numbers((17, 600), 11), None, numbers((3, 17), 13)),
    "cross-entropy": lambda: run_loss(*loss_inputs(11, 13, 33, 45)),
    "cross-entropy large": lambda: run_loss(*loss_inputs(5, 3, 9, 4500), keep=False),
    "norm": _norm,
    "sgd": _sgd,
    "adamw": _adamw,
    "muon": _muon,
    "average": _average,
    "dropout": lambda: [kernels.dropout(numbers((5, 77, 101), 15), 0.3, 2**64 - 5, 6)],
    "philox": lambda: [philox(2**63 + 1, 3, 20_001).view(np.int32)],
    "log-softmax": lambda: [kernels.log_softmax(numbers((3, 77), 16, 20.0))],
    "math": _math,
}  # fmt: skip

# --- trainings ---
RECIPES: dict[str, dict] = {
    "rnn_relu": {"cell": "rnn_relu", "lr": 1.0},
    "rnn_tanh": {"cell": "rnn_tanh", "num_layers": 2, "dropout": 0.2, "init_std": 0.1, "lr": 0.5},
    "gru": {"cell": "gru", "num_layers": 2, "dropout": 0.3, "init_std": None, "optimizer": "adamw",
            "weight_decay": 0.01, "lr": 0.01},
    "lstm": {"cell": "lstm", "init_std": None, "optimizer": "adam", "lr": 0.01, "partition": "random"},
    "gru muon": {"cell": "gru", "num_layers": 2, "init_std": None, "optimizer": "muon", "lr": 0.01,
                 "weight_decay": 0.01, "schedule": "cosine", "warmup": 5, "average": 0.9},
    "lstm drops": {"cell": "lstm", "num_layers": 2, "init_std": None, "optimizer": "adam", "lr": 0.01, "dropout": 0.1,
                   "hidden_dropout": 0.2, "output_dropout": 0.3, "weight_dropout": 0.4},
    "gru embedding": {"cell": "gru", "num_layers": 2, "embedding_size": 21, "init_std": None, "optimizer": "muon",
                      "lr": 0.01, "average": 0.9, "dropout": 0.2},
}  # fmt: skip


def train(name: str) -> LanguageModel:
    """Twenty steps on the bundled story."""
    corpus = load_corpus("traveller")
    sizes = {"hidden_size": 37, "batch_size": 12, "seq_length": 11, "max_chars": 12 * 11 * 20 + 12, "epochs": 1}
    recipe = Recipe(**sizes, **RECIPES[name], seed=7, sample_every=0)
    model = build_model(corpus, recipe)
    steps = []
    fit(model, corpus, recipe, on_step=steps.append)
    assert len(steps) in (19, 20)  # the random offset may leave one out
    return model


def text(model: LanguageModel) -> str:
    return generate(model, "the traveller", 80, temperature=0.8, seed=3)


def results(trainings: bool = True) -> Iterator[tuple[str, str]]:
    """The name of each result, as in floats.json, and its digest or text as computed here. trainings: those too."""
    for name, operation in OPERATIONS.items():
        yield f"operations/{name}", digest(operation())
    for name in RECIPES if trainings else ():
        model = train(name)
        yield f"trainings/{name}", model.digest()
        yield f"texts/{name}", text(model)
        yield from uses.results(name, model)
