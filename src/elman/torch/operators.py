"""The native kernel as torch.library operators with autograd: float32 on a CPU, the same bits on every processor.

Operators: torch.ops.elman.{recurrent, linear, cross_entropy, dropout, copy} and the backward ones that they call. This
file checks shapes and lays out buffers; the arithmetic is in src/native, its rules in docs/explanation/arithmetic.md.
"""
# ruff: noqa: E741 (I is the input's size, as in the legend of shapes)

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from .. import kernels as core
from ..kernels import _cpu, native
from .reference import LayerWeights, State

CELLS = {name: core.CELLS[name].code for name in native.CELLS}
_BY_CODE = {cell.code: cell for cell in core.CELLS.values()}
_LSTM = CELLS["lstm"]
_KEPT_LOGITS = 1 << 22  # floats: above, the loss computes its logits again in backward rather than keep them


def _array(x: Tensor | None) -> Any:
    """The tensor's memory, for the kernel, which holds it while it works. None for a tensor (0,): not wanted."""
    return None if x is None or x.shape == (0,) else x.detach().numpy()


def _dense(x: Tensor | None) -> Tensor | None:
    return None if x is None else x.contiguous()


def _expect(name: str, x: Tensor | None, shape: tuple[int, ...]) -> Tensor | None:
    """`x` in one piece, if it has this shape, is float32 and lies on the CPU."""
    if x is None:
        return None
    if tuple(x.shape) != shape or x.dtype != torch.float32 or x.device.type != "cpu":
        raise ValueError(f"{name} is {x.dtype} {tuple(x.shape)} on {x.device}; expected torch.float32 {shape} on cpu")
    return x.contiguous()


_library = torch.library.Library("elman", "DEF")
_library.define(
    "recurrent(int cell, Tensor x, Tensor h0, Tensor? c0, Tensor w_ih, Tensor w_hh, Tensor? b_ih, Tensor? b_hh,"
    " bool save) -> (Tensor, Tensor, Tensor, Tensor, Tensor)"
)
_library.define(
    "recurrent_backward(int cell, Tensor x, Tensor h0, Tensor? c0, Tensor w_ih, Tensor w_hh, bool bias, Tensor out,"
    " Tensor gates, Tensor cells, Tensor? d_out, Tensor? d_hn, Tensor? d_cn, bool[5] want)"
    " -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)"
)
_library.define("linear(Tensor x, Tensor w, Tensor? b) -> Tensor")
_library.define("linear_backward(Tensor x, Tensor w, Tensor d_y, bool[3] want) -> (Tensor, Tensor, Tensor)")
_library.define(
    "cross_entropy(Tensor hidden, Tensor w, Tensor? b, Tensor targets, bool save) -> (Tensor, Tensor, Tensor)"
)
_library.define(
    "cross_entropy_backward(Tensor hidden, Tensor w, Tensor? b, Tensor targets, Tensor saved, Tensor d_mean,"
    " bool[3] want) -> (Tensor, Tensor, Tensor)"
)
_library.define("dropout(Tensor x, float p, SymInt seed, SymInt offset) -> Tensor")
_library.define("copy(Tensor x) -> Tensor")


# --- the recurrent layer ---


def _recurrent(
    cell: int, x: Tensor, h0: Tensor, c0: Tensor | None, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None,
    b_hh: Tensor | None, save: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    (T, B), (rows, I), H = x.shape[:2], w_ih.shape, w_hh.shape[1]
    token_ids = not x.is_floating_point()
    x = x.to(torch.int64).contiguous() if token_ids else _expect("x", x, (T, B, I))  # type: ignore[assignment]
    h0, c0 = _expect("h0", h0, (B, H)), _expect("c0", c0, (B, H))  # type: ignore[assignment]
    w_ih, w_hh = _expect("w_ih", w_ih, (_BY_CODE[cell].gates * H, I)), _expect("w_hh", w_hh, (rows, H))  # type: ignore[assignment]
    b_ih, b_hh = _expect("b_ih", b_ih, (rows,)), _expect("b_hh", b_hh, (rows,))
    out, hn, cn, gates, cells = _recurrent_outputs(cell, x, h0, w_ih, w_hh, save)
    _cpu.recurrent(
        cell=cell, ids=_array(x) if token_ids else None, x=None if token_ids else _array(x), h0=_array(h0),
        c0=_array(c0), w_ih=_array(w_ih), w_hh=_array(w_hh), b_ih=_array(b_ih), b_hh=_array(b_hh), out=_array(out),
        hn=_array(hn), cn=_array(cn), gates=_array(gates), cells=_array(cells),
    )  # fmt: skip
    return out, hn, cn, gates, cells


def _recurrent_outputs(
    cell: int, x: Tensor, h0: Tensor, w_ih: Tensor, w_hh: Tensor, save: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """out (T, B, H); hn, cn (B, H); for backward, the gates' activations (T, B, saved * H) and c (T, B, H). What a cell
    lacks has no elements."""
    (T, B), H = x.shape[:2], w_hh.shape[1]
    new = w_hh.new_empty
    kept = _BY_CODE[cell].saved * H if save else 0
    return (
        new((T, B, H)), new((B, H)), new((B, H) if cell == _LSTM else (0,)), new((T, B, kept) if kept else (0,)),
        new((T, B, H) if save and cell == _LSTM else (0,)),
    )  # fmt: skip


def _recurrent_backward(
    cell: int, x: Tensor, h0: Tensor, c0: Tensor | None, w_ih: Tensor, w_hh: Tensor, bias: bool, out: Tensor,
    gates: Tensor, cells: Tensor, d_out: Tensor | None, d_hn: Tensor | None, d_cn: Tensor | None, want: list[bool],
) -> tuple[Tensor, ...]:  # fmt: skip
    token_ids = not x.is_floating_point()
    x, h0, c0, w_ih, w_hh = (_dense(t) for t in (x, h0, c0, w_ih, w_hh))  # type: ignore[assignment]
    d_out, d_hn, d_cn = _dense(d_out), _dense(d_hn), _dense(d_cn)
    grads = _recurrent_gradients(cell, x, h0, w_ih, w_hh, bias, want)
    names = ("d_x", "d_h0", "d_c0", "d_w_ih", "d_w_hh", "d_b_ih", "d_b_hh")
    _cpu.recurrent_backward(
        cell=cell, ids=_array(x) if token_ids else None, x=None if token_ids else _array(x), h0=_array(h0),
        c0=_array(c0), w_ih=_array(w_ih), w_hh=_array(w_hh), out=_array(out), gates=_array(gates),
        cells=_array(cells), d_out=_array(d_out), d_hn=_array(d_hn), d_cn=_array(d_cn),
        **dict(zip(names, map(_array, grads), strict=True)),
    )  # fmt: skip
    return grads


def _recurrent_gradients(
    cell: int, x: Tensor, h0: Tensor, w_ih: Tensor, w_hh: Tensor, bias: bool, want: list[bool]
) -> tuple[Tensor, ...]:
    """Gradients of x, h0, c0, w_ih, w_hh, b_ih, b_hh; empty if not wanted. want: x, the state, w_ih, w_hh, biases."""
    new, none = w_hh.new_empty, (0,)
    return (
        new(x.shape if want[0] and x.is_floating_point() else none),
        new(h0.shape if want[1] else none),
        new(h0.shape if want[1] and cell == _LSTM else none),
        new(w_ih.shape if want[2] else none),
        new(w_hh.shape if want[3] else none),
        new(w_hh.shape[:1] if want[4] and bias else none),
        new(w_hh.shape[:1] if want[4] and bias else none),
    )


def _recurrent_setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    cell, x, h0, c0, w_ih, w_hh, b_ih, _, save = inputs
    out, _, _, gates, cells = output
    if not save:
        raise RuntimeError("torch.ops.elman.recurrent needs save=True to be differentiated")
    ctx.cell, ctx.bias, ctx.has_c = cell, b_ih is not None, c0 is not None
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(gates, cells)
    ctx.save_for_backward(x, h0, c0, w_ih, w_hh, out, gates, cells)


def _recurrent_grad(
    ctx: Any, d_out: Tensor | None, d_hn: Tensor | None, d_cn: Tensor | None, *_: Any
) -> tuple[Any, ...]:
    need = ctx.needs_input_grad  # cell, x, h0, c0, w_ih, w_hh, b_ih, b_hh, save
    x, h0, c0, w_ih, w_hh, out, gates, cells = ctx.saved_tensors
    want = [need[1], need[2] or need[3], need[4], need[5], need[6] or need[7]]
    if ctx.cell != _LSTM:
        d_cn = None
    grads = torch.ops.elman.recurrent_backward(
        ctx.cell, x, h0, c0, w_ih, w_hh, ctx.bias, out, gates, cells, d_out, d_hn, d_cn, want
    )
    return None, *(g if needed else None for g, needed in zip(grads, need[1:8], strict=True)), None


def recurrent(cell: str, x: Tensor, state: State, weights: LayerWeights) -> tuple[Tensor, State]:
    """One recurrent layer over T steps; see `elman.kernels.recurrent` for the shapes."""
    c0 = state[1] if cell == "lstm" else None
    save = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (x, *state, *weights))
    out, hn, cn, _, _ = torch.ops.elman.recurrent(CELLS[cell], x, state[0], c0, *weights, save)
    return out, (hn, cn) if cell == "lstm" else (hn,)


# --- the dense output ---


def _rows(x: Tensor) -> tuple[int, int]:
    """(T, B) of x (..., K): weight gradients sum over t decreasing, then over b."""
    B = x.shape[-2] if x.dim() > 1 else 1
    return (x.numel() // (B * x.shape[-1]) if x.numel() else 0), B


def _in_rows(x: Tensor, rows: tuple[int, int]) -> Any:
    """`_array` as (T, B, K); None where it is not wanted."""
    return None if x.shape == (0,) else _array(x.view(*rows, x.shape[-1]))


def _linear(x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    N, K = w.shape
    x, w, b = _expect("x", x, (*x.shape[:-1], K)), _expect("weight", w, (N, K)), _expect("bias", b, (N,))  # type: ignore[assignment]
    y = x.new_empty((*x.shape[:-1], N))
    if y.numel():
        _cpu.linear(x=_array(x.view(-1, K)), w=_array(w), b=_array(b), y=_array(y.view(-1, N)))
    return y


def _linear_backward(x: Tensor, w: Tensor, d_y: Tensor, want: list[bool]) -> tuple[Tensor, Tensor, Tensor]:
    N, K = w.shape
    x, w, d_y = x.contiguous(), w.contiguous(), d_y.contiguous()
    grads = _dense_gradients(x, w, want)
    rows = _rows(x)
    _cpu.linear_backward(
        x=_array(x.view(*rows, K)), w=_array(w), d_y=_array(d_y.view(*rows, N)), d_x=_in_rows(grads[0], rows),
        d_w=_array(grads[1]), d_b=_array(grads[2]),
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


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return torch.ops.elman.linear(x, weight, bias)


def _cross_entropy(
    hidden: Tensor, w: Tensor, b: Tensor | None, targets: Tensor, save: bool
) -> tuple[Tensor, Tensor, Tensor]:
    V, H = w.shape
    hidden, w = _expect("hidden", hidden, (*targets.shape, H)), _expect("weight", w, (V, H))  # type: ignore[assignment]
    b, targets = _expect("bias", b, (V,)), targets.to(torch.int64).contiguous()
    mean, nats, saved = _cross_entropy_outputs(hidden, w, targets, save)
    if targets.numel():
        rows = _rows(hidden)
        mean.fill_(
            _cpu.cross_entropy(
                hidden=_array(hidden.view(*rows, H)), w=_array(w), b=_array(b), targets=_array(targets.view(rows)),
                nats=_array(nats.view(rows)), saved=_in_rows(saved, rows),
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
    rows, b = _rows(hidden), _dense(b)
    _cpu.cross_entropy_backward(
        hidden=_array(hidden.view(*rows, H)), w=_array(w), b=_array(b), targets=_array(targets.view(rows)),
        saved=_in_rows(saved, rows), d_mean=float(d_mean), d_hidden=_in_rows(grads[0], rows), d_w=_array(grads[1]),
        d_b=_array(grads[2]),
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


def cross_entropy(hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor) -> tuple[Tensor, Tensor]:
    save = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (hidden, weight, bias))
    mean, nats, _ = torch.ops.elman.cross_entropy(hidden, weight, bias, targets, save)
    return mean, nats


# --- dropout ---


def _dropout(x: Tensor, p: float, seed: int, offset: int) -> Tensor:
    x = x.contiguous()
    y = torch.empty_like(x)
    mask = 2**64 - 1
    if x.numel():
        _cpu.dropout(x=_array(x.view(-1)), y=_array(y.view(-1)), p=p, seed=seed & mask, offset=offset & mask)
    return y


def _dropout_setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.p, ctx.seed, ctx.offset = inputs[1:]


def _dropout_grad(ctx: Any, d_y: Tensor) -> tuple[Tensor, None, None, None]:
    return torch.ops.elman.dropout(d_y, ctx.p, ctx.seed, ctx.offset), None, None, None


def dropout(x: Tensor, p: float, seed: int, offset: int) -> Tensor:
    return torch.ops.elman.dropout(x, p, seed - 2**64 if seed >= 2**63 else seed, offset)


# --- an output of one's own ---


def _copy(x: Tensor) -> Tensor:
    return torch.from_numpy(x.numpy().copy())  # by NumPy: torch's threads would spin on the kernel's cores afterwards


def copy(x: Tensor) -> Tensor:
    """`x` for a user to write into, as torch on a CPU allows with what its layers give: backward needs the original."""
    return torch.ops.elman.copy(x) if x.requires_grad else x


# --- registration: the implementation, the shapes alone, the derivative ---

for _name, _function, _shapes in (
    ("recurrent", _recurrent, lambda cell, x, h0, c0, w_ih, w_hh, b_ih, b_hh, save: _recurrent_outputs(
        cell, x, h0, w_ih, w_hh, save)),
    ("recurrent_backward", _recurrent_backward, lambda cell, x, h0, c0, w_ih, w_hh, bias, *rest: _recurrent_gradients(
        cell, x, h0, w_ih, w_hh, bias, rest[-1])),
    ("linear", _linear, lambda x, w, b: x.new_empty((*x.shape[:-1], w.shape[0]))),
    ("linear_backward", _linear_backward, lambda x, w, d_y, want: _dense_gradients(x, w, want)),
    ("cross_entropy", _cross_entropy, lambda hidden, w, b, targets, save: _cross_entropy_outputs(
        hidden, w, targets, save)),
    ("cross_entropy_backward", _cross_entropy_backward, lambda hidden, w, b, targets, saved, d_mean, want:
        _dense_gradients(hidden, w, want)),
    ("dropout", _dropout, lambda x, p, seed, offset: torch.empty_like(x)),
    ("copy", _copy, lambda x: x.new_empty(x.shape)),
):  # fmt: skip
    _library.impl(_name, _function, "CPU")
    torch.library.register_fake(f"elman::{_name}", _shapes)
for _name, _grad, _setup in (
    ("recurrent", _recurrent_grad, _recurrent_setup),
    ("linear", _linear_grad, _linear_setup),
    ("cross_entropy", _cross_entropy_grad, _cross_entropy_setup),
    ("dropout", _dropout_grad, _dropout_setup),
    ("copy", lambda ctx, d_y: d_y, lambda ctx, inputs, output: None),
):
    torch.library.register_autograd(f"elman::{_name}", _grad, setup_context=_setup)
    if hasattr(torch.library, "register_autocast"):  # torch 2.7: inside autocast the kernel still computes in float32
        torch.library.register_autocast(f"elman::{_name}", "cpu", torch.float32)


def _no_second_derivative(*_: Any) -> Any:
    raise RuntimeError(
        "the native kernel has no second derivative; compute with kernels.use('reference'), or in float64"
    )


for _name in ("recurrent_backward", "linear_backward", "cross_entropy_backward"):  # else it would be zero, silently
    torch.library.register_autograd(f"elman::{_name}", _no_second_derivative)
