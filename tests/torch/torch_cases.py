"""`inputs` as tensors, and every operation run through autograd."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import inputs
import numpy as np
import torch
from torch import Tensor

from elman import kernels as all_kernels
from elman.torch import kernels

CELLS = tuple(all_kernels.CELLS)


def numbers(shape: Sequence[int], seed: int, scale: float = 1.0) -> Tensor:
    return torch.from_numpy(inputs.numbers(shape, seed, scale))


def integers(shape: Sequence[int], bound: int, seed: int) -> Tensor:
    return torch.from_numpy(inputs.integers(shape, bound, seed))


def tensors(arrays: Iterable[np.ndarray | None]) -> tuple[Any, ...]:
    return tuple(None if array is None else torch.from_numpy(array) for array in arrays)


def same_bits(a: Iterable[Tensor], b: Iterable[Tensor]) -> None:
    for i, (x, y) in enumerate(zip(a, b, strict=True)):
        assert x.shape == y.shape
        different = int((x.contiguous().view(torch.int32) != y.contiguous().view(torch.int32)).sum())
        assert not different, f"tensor {i}: {different} of {x.numel()} elements differ"


# --- the recurrent layer ---


def layer_inputs(
    cell: str, *sizes: int, **options: Any
) -> tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, Tensor, Tensor | None, Tensor | None], list[Tensor]]:
    """x, state, weights, and cotangents of (output, *state)."""
    x, state, weights, cotangents = inputs.layer_inputs(cell, *sizes, **options)
    return torch.from_numpy(x), tensors(state), tensors(weights), [*tensors(cotangents)]


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


def loss_inputs(*sizes: int, **options: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """hidden, weight, bias, targets."""
    return tensors(inputs.loss_inputs(*sizes, **options))


def run_loss(hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor) -> list[Tensor]:
    """mean, nats, and the gradients of 1.7 times the mean."""
    leaves = [t.detach().clone().requires_grad_() for t in (hidden, weight, bias) if t is not None]
    mean, nats = kernels.cross_entropy(leaves[0], leaves[1], leaves[2] if bias is not None else None, targets)
    return [mean.detach(), nats, *torch.autograd.grad(mean * 1.7, leaves)]


def run_linear(x: Tensor, weight: Tensor, bias: Tensor | None, cotangent: Tensor) -> list[Tensor]:
    leaves = [t.detach().clone().requires_grad_() for t in (x, weight, bias) if t is not None]
    y = kernels.linear(*leaves, *([None] if bias is None else []))
    return [y.detach(), *torch.autograd.grad(y, leaves, cotangent)]
