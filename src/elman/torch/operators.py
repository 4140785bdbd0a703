"""The native kernel as torch.library operators with autograd: float32 on a CPU, the same bits on every processor.

Operators: torch.ops.elman.{recurrent, linear, cross_entropy, dropout, copy} and the backward ones that they call. They
check shapes and lay out buffers; the arithmetic is in src/native, its rules in docs/explanation/arithmetic.md.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..kernels import _cpu
from .dense_operators import cross_entropy, linear
from .recurrent_operator import CELLS, recurrent
from .registry import array, operator

__all__ = ["CELLS", "copy", "cross_entropy", "dropout", "linear", "recurrent"]


def _dropout(x: Tensor, p: float, seed: int, offset: int) -> Tensor:
    x = x.contiguous()
    y = torch.empty_like(x)
    mask = 2**64 - 1
    if x.numel():
        _cpu.dropout(x=array(x.view(-1)), y=array(y.view(-1)), p=p, seed=seed & mask, offset=offset & mask)
    return y


def _dropout_setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.p, ctx.seed, ctx.offset = inputs[1:]


def _dropout_grad(ctx: Any, d_y: Tensor) -> tuple[Tensor, None, None, None]:
    return torch.ops.elman.dropout(d_y, ctx.p, ctx.seed, ctx.offset), None, None, None


operator(
    "dropout(Tensor x, float p, SymInt seed, SymInt offset) -> Tensor",
    _dropout,
    lambda x, p, seed, offset: torch.empty_like(x),
    _dropout_grad,
    _dropout_setup,
)


def dropout(x: Tensor, p: float, seed: int, offset: int) -> Tensor:
    return torch.ops.elman.dropout(x, p, seed - 2**64 if seed >= 2**63 else seed, offset)


def _copy(x: Tensor) -> Tensor:
    return torch.from_numpy(x.numpy().copy())  # by NumPy: torch's threads would spin on the kernel's cores afterwards


operator(
    "copy(Tensor x) -> Tensor",
    _copy,
    lambda x: x.new_empty(x.shape),
    lambda ctx, d_y: d_y,
    lambda ctx, inputs, output: None,
)


def copy(x: Tensor) -> Tensor:
    """`x` for a user to write into, as torch on a CPU allows with what its layers give: backward needs the original."""
    tracing = torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]  (one graph, with gradients or without)
    return torch.ops.elman.copy(x) if x.requires_grad or tracing else x
