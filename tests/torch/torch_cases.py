"""Inputs for the tests of `elman.torch`, and every operation run through autograd. From NumPy's raw Philox words."""

# ruff: noqa: E741 (I is the size of the input)
from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from elman.kernels import CELLS as CELL_TABLE
from elman.model import initial
from elman.torch import kernels

CELLS = tuple(CELL_TABLE)


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
    rows, states = CELL_TABLE[cell].gates * H, CELL_TABLE[cell].states
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
