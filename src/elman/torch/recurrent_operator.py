"""The recurrent layer as an operator: what it computes, its shapes and its derivative."""

# ruff: noqa: E741 (I is the input's size, as in the legend of shapes)
from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .. import kernels as core
from ..kernels import _cpu, handles
from .reference import LayerWeights, State
from .registry import array, dense, expect, operator

CELLS = {name: core.CELLS[name].code for name in handles.CELLS}
_BY_CODE = {cell.code: cell for cell in core.CELLS.values()}
_LSTM = CELLS["lstm"]


def _recurrent(
    cell: int, x: Tensor, h0: Tensor, c0: Tensor | None, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None,
    b_hh: Tensor | None, save: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    (T, B), (rows, I), H = x.shape[:2], w_ih.shape, w_hh.shape[1]
    token_ids = not x.is_floating_point()
    x = x.to(torch.int64).contiguous() if token_ids else expect("x", x, (T, B, I))  # type: ignore[assignment]
    h0, c0 = expect("h0", h0, (B, H)), expect("c0", c0, (B, H))  # type: ignore[assignment]
    w_ih, w_hh = expect("w_ih", w_ih, (_BY_CODE[cell].gates * H, I)), expect("w_hh", w_hh, (rows, H))  # type: ignore[assignment]
    b_ih, b_hh = expect("b_ih", b_ih, (rows,)), expect("b_hh", b_hh, (rows,))
    out, hn, cn, gates, cells = _recurrent_outputs(cell, x, h0, w_ih, w_hh, save)
    _cpu.recurrent(
        cell=cell, ids=array(x) if token_ids else None, x=None if token_ids else array(x), h0=array(h0),
        c0=array(c0), w_ih=array(w_ih), w_hh=array(w_hh), b_ih=array(b_ih), b_hh=array(b_hh), out=array(out),
        hn=array(hn), cn=array(cn), gates=array(gates), cells=array(cells),
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
    x, h0, c0, w_ih, w_hh = (dense(t) for t in (x, h0, c0, w_ih, w_hh))  # type: ignore[assignment]
    d_out, d_hn, d_cn = dense(d_out), dense(d_hn), dense(d_cn)
    grads = _recurrent_gradients(cell, x, h0, w_ih, w_hh, bias, want)
    names = ("d_x", "d_h0", "d_c0", "d_w_ih", "d_w_hh", "d_b_ih", "d_b_hh")
    _cpu.recurrent_backward(
        cell=cell, ids=array(x) if token_ids else None, x=None if token_ids else array(x), h0=array(h0),
        c0=array(c0), w_ih=array(w_ih), w_hh=array(w_hh), out=array(out), gates=array(gates),
        cells=array(cells), d_out=array(d_out), d_hn=array(d_hn), d_cn=array(d_cn),
        **dict(zip(names, map(array, grads), strict=True)),
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
    ctx.cell, ctx.bias = cell, b_ih is not None
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


operator(
    "recurrent(int cell, Tensor x, Tensor h0, Tensor? c0, Tensor w_ih, Tensor w_hh, Tensor? b_ih, Tensor? b_hh,"
    " bool save) -> (Tensor, Tensor, Tensor, Tensor, Tensor)",
    _recurrent,
    lambda cell, x, h0, c0, w_ih, w_hh, b_ih, b_hh, save: _recurrent_outputs(cell, x, h0, w_ih, w_hh, save),
    _recurrent_grad,
    _recurrent_setup,
)
operator(
    "recurrent_backward(int cell, Tensor x, Tensor h0, Tensor? c0, Tensor w_ih, Tensor w_hh, bool bias, Tensor out,"
    " Tensor gates, Tensor cells, Tensor? d_out, Tensor? d_hn, Tensor? d_cn, bool[5] want)"
    " -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
    _recurrent_backward,
    lambda cell, x, h0, c0, w_ih, w_hh, bias, *rest: _recurrent_gradients(cell, x, h0, w_ih, w_hh, bias, rest[-1]),
)


def recurrent(cell: str, x: Tensor, state: State, weights: LayerWeights) -> tuple[Tensor, State]:
    """One recurrent layer over T steps; see `elman.kernels.recurrent` for the shapes."""
    c0 = state[1] if cell == "lstm" else None
    tracing = torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]  (the trace may be differentiated)
    save = tracing or (
        torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (x, *state, *weights))
    )
    out, hn, cn, _, _ = torch.ops.elman.recurrent(CELLS[cell], x, state[0], c0, *weights, save)
    return out, (hn, cn) if cell == "lstm" else (hn,)
