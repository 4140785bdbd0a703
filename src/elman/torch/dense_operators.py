"""The dense output and its loss as operators: what they compute, their shapes and their derivatives."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ..kernels import _cpu
from .registry import array, dense, expect, operator

_KEPT_LOGITS = 1 << 22  # floats: above, the loss computes its logits again in backward rather than keep them


def _rows(x: Tensor) -> tuple[int, int]:
    """(T, B) of x (..., K): weight gradients sum over t decreasing, then over b."""
    B = x.shape[-2] if x.dim() > 1 else 1
    return (x.numel() // (B * x.shape[-1]) if x.numel() else 0), B


def _in_rows(x: Tensor, rows: tuple[int, int]) -> Any:
    """`array` as (T, B, K); None where it is not wanted."""
    return None if x.shape == (0,) else array(x.view(*rows, x.shape[-1]))


def _linear(x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    N, K = w.shape
    x, w, b = expect("x", x, (*x.shape[:-1], K)), expect("weight", w, (N, K)), expect("bias", b, (N,))  # type: ignore[assignment]
    y = x.new_empty((*x.shape[:-1], N))
    if y.numel():
        _cpu.linear(x=array(x.view(-1, K)), w=array(w), b=array(b), y=array(y.view(-1, N)))
    return y


def _linear_backward(x: Tensor, w: Tensor, d_y: Tensor, want: list[bool]) -> tuple[Tensor, Tensor, Tensor]:
    N, K = w.shape
    x, w, d_y = x.contiguous(), w.contiguous(), d_y.contiguous()
    grads = _dense_gradients(x, w, want)
    rows = _rows(x)
    _cpu.linear_backward(
        x=array(x.view(*rows, K)), w=array(w), d_y=array(d_y.view(*rows, N)), d_x=_in_rows(grads[0], rows),
        d_w=array(grads[1]), d_b=array(grads[2]),
    )  # fmt: skip
    return grads


def _dense_gradients(x: Tensor, w: Tensor, want: list[bool]) -> tuple[Tensor, Tensor, Tensor]:
    return tuple(  # type: ignore[return-value]
        w.new_empty(shape if wanted else (0,))
        for shape, wanted in zip((x.shape, w.shape, w.shape[:1]), want, strict=True)
    )


def _linear_setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(inputs[0], inputs[1])


def _linear_grad(ctx: Any, d_y: Tensor) -> tuple[Tensor | None, ...]:
    need = ctx.needs_input_grad
    grads = torch.ops.elman.linear_backward(*ctx.saved_tensors, d_y, list(need))
    return tuple(g if needed else None for g, needed in zip(grads, need, strict=True))


operator(
    "linear(Tensor x, Tensor w, Tensor? b) -> Tensor",
    _linear,
    lambda x, w, b: x.new_empty((*x.shape[:-1], w.shape[0])),
    _linear_grad,
    _linear_setup,
)
operator(
    "linear_backward(Tensor x, Tensor w, Tensor d_y, bool[3] want) -> (Tensor, Tensor, Tensor)",
    _linear_backward,
    lambda x, w, d_y, want: _dense_gradients(x, w, want),
)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return torch.ops.elman.linear(x, weight, bias)


def _cross_entropy(
    hidden: Tensor, w: Tensor, b: Tensor | None, targets: Tensor, save: bool
) -> tuple[Tensor, Tensor, Tensor]:
    V, H = w.shape
    hidden, w = expect("hidden", hidden, (*targets.shape, H)), expect("weight", w, (V, H))  # type: ignore[assignment]
    b, targets = expect("bias", b, (V,)), targets.to(torch.int64).contiguous()
    mean, nats, saved = _cross_entropy_outputs(hidden, w, targets, save)
    if targets.numel():
        rows = _rows(hidden)
        mean.fill_(
            _cpu.cross_entropy(
                hidden=array(hidden.view(*rows, H)), w=array(w), b=array(b), targets=array(targets.view(rows)),
                nats=array(nats.view(rows)), saved=_in_rows(saved, rows),
            )
        )  # fmt: skip
    else:
        mean.fill_(math.nan)  # the mean of nothing, as in torch
    return mean, nats, saved


def _cross_entropy_outputs(hidden: Tensor, w: Tensor, targets: Tensor, save: bool) -> tuple[Tensor, Tensor, Tensor]:
    """mean (); nats as targets; softmax minus one-hot (..., V), or nothing where it would be large."""
    keep = save and targets.numel() * w.shape[0] <= _KEPT_LOGITS
    new = w.new_empty
    return new(()), new(targets.shape), new((*targets.shape, w.shape[0]) if keep else (0,))


def _cross_entropy_backward(
    hidden: Tensor,
    w: Tensor,
    b: Tensor | None,
    targets: Tensor,
    saved: Tensor,
    d_mean: Tensor | float,
    want: list[bool],
) -> tuple[Tensor, Tensor, Tensor]:
    H = w.shape[1]
    hidden, w, targets = hidden.contiguous(), w.contiguous(), targets.to(torch.int64).contiguous()
    grads = _dense_gradients(hidden, w, want)
    rows, b = _rows(hidden), dense(b)
    _cpu.cross_entropy_backward(
        hidden=array(hidden.view(*rows, H)), w=array(w), b=array(b), targets=array(targets.view(rows)),
        saved=_in_rows(saved, rows), d_mean=float(d_mean), d_hidden=_in_rows(grads[0], rows), d_w=array(grads[1]),
        d_b=array(grads[2]),
    )  # fmt: skip
    return grads


def _cross_entropy_setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    hidden, w, b, targets, _ = inputs
    _, nats, saved = output
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(nats, saved)
    ctx.save_for_backward(hidden, w, b, targets, saved)


def _cross_entropy_grad(ctx: Any, d_mean: Tensor | None, *_: Any) -> tuple[Tensor | None, ...]:
    need = ctx.needs_input_grad[:3]
    if d_mean is None:
        return (None,) * 5
    hidden, w, b, targets, saved = ctx.saved_tensors
    grads = torch.ops.elman.cross_entropy_backward(hidden, w, b, targets, saved, d_mean, list(need))
    return *(g if needed else None for g, needed in zip(grads, need, strict=True)), None, None


operator(
    "cross_entropy(Tensor hidden, Tensor w, Tensor? b, Tensor targets, bool save) -> (Tensor, Tensor, Tensor)",
    _cross_entropy,
    lambda hidden, w, b, targets, save: _cross_entropy_outputs(hidden, w, targets, save),
    _cross_entropy_grad,
    _cross_entropy_setup,
)
operator(
    "cross_entropy_backward(Tensor hidden, Tensor w, Tensor? b, Tensor targets, Tensor saved, Tensor d_mean,"
    " bool[3] want) -> (Tensor, Tensor, Tensor)",
    _cross_entropy_backward,
    lambda hidden, w, b, targets, saved, d_mean, want: _dense_gradients(hidden, w, want),
)


def cross_entropy(hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor) -> tuple[Tensor, Tensor]:
    save = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (hidden, weight, bias))
    mean, nats, _ = torch.ops.elman.cross_entropy(hidden, weight, bias, targets, save)
    return mean, nats
