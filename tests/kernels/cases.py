"""One small deterministic run of every operation, of a training and of a text: what must have the same bits everywhere.

Inputs come from NumPy's raw Philox words, so they are the same on every machine too. Sizes are odd, so that tiles and
vectors have edges, and large enough that several threads have work.
"""

# ruff: noqa: E741 (I is the size of the input)
from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

import elman
from elman import kernels
from elman.model import initial

pytest.importorskip("elman.kernels._cpu", reason="the native kernel is not built")
from elman.kernels import _cpu, cpu  # pyright: ignore

CELLS = tuple(kernels.CELLS)
ISAS = ("portable", "avx2", "avx512", "neon")


def use_isa(name: str) -> None:
    """Compute with this instruction set, or skip the test."""
    try:
        _cpu.set_isa(name)
    except RuntimeError as error:
        pytest.skip(str(error))


def numbers(shape: Sequence[int], seed: int, scale: float = 1.0) -> Tensor:
    """float32, uniform in -scale .. scale."""
    values = initial.uniform(seed, 0, int(np.prod(shape))) * 2.0 - 1.0
    return torch.from_numpy((values * scale).astype(np.float32)).view(*shape)


def integers(shape: Sequence[int], bound: int, seed: int) -> Tensor:
    """int64 in 0 .. bound-1."""
    values = initial.uniform(seed, 1, int(np.prod(shape))) * bound
    return torch.from_numpy(values.astype(np.int64)).view(*shape)


def same_bits(a: Iterable[Tensor], b: Iterable[Tensor]) -> None:
    for i, (x, y) in enumerate(zip(a, b, strict=True)):
        assert x.shape == y.shape
        different = int((x.contiguous().view(torch.int32) != y.contiguous().view(torch.int32)).sum())
        assert not different, f"tensor {i}: {different} of {x.numel()} elements differ"


def digest(tensors: Iterable[Tensor]) -> str:
    """SHA-256 of the shapes and the little-endian bytes."""
    result = hashlib.sha256()
    for t in tensors:
        values = t.detach().contiguous().numpy()
        result.update(f"{values.dtype.str[1:]} {values.shape}\n".encode())
        result.update(values.astype(values.dtype.newbyteorder("<")).tobytes())
    return result.hexdigest()


# --- the recurrent layer ---


def layer_inputs(
    cell: str,
    T: int,
    B: int,
    I: int,
    H: int,
    *,
    ids: bool = False,
    bias: bool = True,
    seed: int = 1,
) -> tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, Tensor, Tensor | None, Tensor | None], list[Tensor]]:
    """x, state, weights, and cotangents of (output, *state)."""
    rows, states = kernels.CELLS[cell] * H, 2 if cell == "lstm" else 1
    x = integers((T, B), I, seed) if ids else numbers((T, B, I), seed)
    state = tuple(numbers((B, H), seed + 1 + i) for i in range(states))
    w_ih, w_hh = numbers((rows, I), seed + 3, 0.5), numbers((rows, H), seed + 4, 1.5 * H**-0.5)
    b_ih, b_hh = (numbers((rows,), seed + 5 + i, 0.5) for i in range(2)) if bias else (None, None)
    cotangents = [numbers(shape, seed + 7 + i) for i, shape in enumerate([(T, B, H)] + [(B, H)] * states)]
    return x, state, (w_ih, w_hh, b_ih, b_hh), cotangents


def run_layer(cell: str, x: Tensor, state: Sequence[Tensor], weights, cotangents: Sequence[Tensor | None]):
    """Outputs, states, and the gradients of x (if real), the states and the weights. A cotangent None: undefined."""
    inputs = [*(() if x.dtype == torch.int64 else (x,)), *state, *(w for w in weights if w is not None)]
    leaves = iter([t.detach().clone().requires_grad_() for t in inputs])
    if x.dtype != torch.int64:
        x = next(leaves)
    new_state = tuple(next(leaves) for _ in state)
    new_weights = tuple(None if w is None else next(leaves) for w in weights)
    output, last = kernels.recurrent(cell, x, new_state, new_weights)  # type: ignore[arg-type]
    results = [output, *last]
    given = [(r, d) for r, d in zip(results, cotangents, strict=True) if d is not None]
    wanted = [t for t in (x, *new_state, *new_weights) if t is not None and t.requires_grad]
    grads = torch.autograd.grad([r for r, _ in given], wanted, [d for _, d in given], allow_unused=True)
    return [r.detach() for r in results], [torch.zeros_like(w) if g is None else g for g, w in zip(grads, wanted)]  # noqa: B905


def _layer(cell: str, **sizes) -> list[Tensor]:
    outputs, grads = run_layer(cell, *layer_inputs(cell, **sizes))
    return [*outputs, *grads]


def _long_layer(cell: str) -> list[Tensor]:
    """More rows than a block of the weight gradients' sums, and threads with tiles of eight."""
    return _layer(cell, T=33, B=19, I=5, H=41)


# --- the rest ---


def loss_inputs(T: int, B: int, H: int, V: int, seed: int = 20) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """hidden, weight, bias, targets."""
    return numbers((T, B, H), seed), numbers((V, H), seed + 1), numbers((V,), seed + 2), integers((T, B), V, seed + 3)


def run_loss(hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor) -> list[Tensor]:
    """mean, nats, and the gradients of 1.7 times the mean."""
    leaves = [t.detach().clone().requires_grad_() for t in (hidden, weight, bias) if t is not None]
    mean, nats = kernels.cross_entropy(leaves[0], leaves[1], leaves[2] if bias is not None else None, targets)
    return [mean.detach(), nats, *torch.autograd.grad(mean * 1.7, leaves)]


def run_linear(x: Tensor, weight: Tensor, bias: Tensor | None, cotangent: Tensor) -> list[Tensor]:
    leaves = [t.detach().clone().requires_grad_() for t in (x, weight, bias) if t is not None]
    y = kernels.linear(*leaves, *([None] if bias is None else []))
    return [y.detach(), *torch.autograd.grad(y, leaves, cotangent)]


def _large_loss() -> list[Tensor]:
    """The vocabulary is so large that the loss keeps no logits."""
    before, cpu._KEPT_LOGITS = cpu._KEPT_LOGITS, 0
    try:
        return run_loss(*loss_inputs(5, 3, 9, 4500))
    finally:
        cpu._KEPT_LOGITS = before


def tensors(seed: int, scale: float = 1.0) -> list[Tensor]:
    """Odd sizes, one of them with several of the updates' chunks, one empty."""
    return [numbers((n,), seed + i, scale) for i, n in enumerate((7, 70_001, 0, 33))]


def _norm() -> list[Tensor]:
    return [torch.tensor(kernels.grad_norm(tensors(30)), dtype=torch.float64)]


def _sgd() -> list[Tensor]:
    params = tensors(30)
    kernels.sgd_(params, tensors(40), 0.3, 0.7)
    return params


def _adamw() -> list[Tensor]:
    params, m, v = tensors(30), tensors(50, 0.0), tensors(60, 0.0)
    for step in (1, 2, 3):
        kernels.adamw_(params, tensors(40 + 100 * step), m, v, step, 0.01, weight_decay=0.1, scale=0.7)
    return [*params, *m, *v]


def philox(seed: int, offset: int, count: int) -> Tensor:
    """int32 (count,) of the kernel's words."""
    words = torch.empty(count, dtype=torch.int32)
    _cpu.philox(words.data_ptr(), count, seed, offset)
    return words


def math(f: int, x: Tensor) -> Tensor:
    """f: 0 exp, 1 log, 2 tanh, 3 sigmoid."""
    y = torch.empty_like(x)
    _cpu.math(f, x.data_ptr(), y.data_ptr(), x.numel())
    return y


def log_softmax(x: Tensor) -> Tensor:
    y = torch.empty_like(x)
    _cpu.log_softmax(x.data_ptr(), y.data_ptr(), x.numel() // x.shape[-1], x.shape[-1])
    return y


def _math() -> list[Tensor]:
    bits = torch.arange(0, 2**32, 65_537).to(torch.int32)  # every kind of float; NaN has no promised bits
    x = bits.view(torch.float32)
    x = x[~x.isnan()]
    return [math(0, x), math(1, x.abs()), math(2, x), math(3, x)]


OPERATIONS: dict[str, Callable[[], list[Tensor]]] = {
    **{f"{c} real": lambda c=c: _layer(c, T=7, B=5, I=13, H=37) for c in CELLS},
    **{f"{c} ids": lambda c=c: _layer(c, T=7, B=5, I=13, H=37, ids=True) for c in CELLS},
    **{f"{c} ids by position": lambda c=c: _layer(c, T=3, B=2, I=29, H=16, ids=True, bias=False) for c in CELLS},
    **{f"{c} long": lambda c=c: _long_layer(c) for c in CELLS},
    "linear": lambda: run_linear(
        numbers((9, 7, 45), 10), numbers((35, 45), 11), numbers((35,), 12), numbers((9, 7, 35), 13)),
    "linear deep": lambda: run_linear(numbers((3, 600), 10), numbers((17, 600), 11), None, numbers((3, 17), 13)),
    "cross-entropy": lambda: run_loss(*loss_inputs(11, 13, 33, 45)),
    "cross-entropy large": _large_loss,
    "norm": _norm,
    "sgd": _sgd,
    "adamw": _adamw,
    "dropout": lambda: [kernels.dropout(numbers((5, 77, 101), 15), 0.3, 2**64 - 5, 6)],
    "philox": lambda: [philox(2**63 + 1, 3, 20_001)],
    "log-softmax": lambda: [log_softmax(numbers((3, 77), 16, 20.0))],
    "math": _math,
}  # fmt: skip

# --- a training and a text ---

RECIPES: dict[str, dict] = {
    "rnn_relu": {"cell": "rnn_relu", "lr": 1.0},
    "rnn_tanh": {"cell": "rnn_tanh", "num_layers": 2, "dropout": 0.2, "init_std": 0.1, "lr": 0.5},
    "gru": {"cell": "gru", "num_layers": 2, "dropout": 0.3, "init_std": None, "optimizer": "adamw",
            "weight_decay": 0.01, "lr": 0.01},
    "lstm": {"cell": "lstm", "init_std": None, "optimizer": "adam", "lr": 0.01, "partition": "random"},
}  # fmt: skip


def train(name: str) -> elman.LanguageModel:
    """Twenty steps on the bundled story."""
    corpus = elman.load_corpus("traveller")
    sizes = {"hidden_size": 37, "batch_size": 12, "seq_length": 11, "max_chars": 12 * 11 * 20 + 12, "epochs": 1}
    recipe = elman.Recipe(**sizes, **RECIPES[name], seed=7, sample_every=0)
    model = elman.build_model(corpus, recipe)
    steps = []
    elman.fit(model, corpus, recipe, on_step=steps.append)
    assert len(steps) in (19, 20)  # the random offset may leave one out
    return model


def text(model: elman.LanguageModel) -> str:
    return elman.generate(model, "the traveller", 80, temperature=0.8, seed=3)
