"""The native kernel as torch.library operators with autograd: float32 on a CPU, the same bits on every processor.

Operators: torch.ops.elman.{recurrent, linear, cross_entropy, dropout} and the backward ones that they call. This file
checks shapes and lays out buffers; the arithmetic is in cpu/, its contract in docs/arithmetic.md.
"""
# ruff: noqa: E741 (I is the input's size, as in the legend of shapes)

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError
from . import _cpu
from .reference import State, Weights

CELLS = {"rnn_relu": 0, "rnn_tanh": 1, "gru": 2, "lstm": 3}
_GATES, _SAVED = (1, 1, 3, 4), (0, 0, 4, 4)
_LSTM = 3
_KEPT_LOGITS = 1 << 22  # floats: above, the loss computes its logits again in backward rather than keep them


def available() -> tuple[bool, str]:
    """Whether this processor runs the kernel, and what to say about it.

    Raises:
        ValueError: ELMAN_ISA or ELMAN_THREADS is not something that this machine can do.
    """
    threads = os.environ.get("ELMAN_THREADS")
    if threads and not (threads.isdecimal() and 1 <= int(threads) <= 1024):
        raise InputError(f"ELMAN_THREADS is {threads!r}; expected a whole number in 1..1024")
    try:
        isa = _cpu.isa()
    except RuntimeError as error:
        raise InputError(str(error)) from None
    if not _cpu.best_isa() and not os.environ.get("ELMAN_ISA"):
        return (
            False,
            "this processor has no fused multiply-add (ELMAN_ISA=portable runs the kernel all the same, slowly)",
        )
    return True, f"{isa}, {_cpu.threads()} thread{'s' if _cpu.threads() > 1 else ''}"


def _address(x: Tensor | None) -> int:
    return 0 if x is None else x.data_ptr()  # 0 too for a tensor without elements


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


# --- the recurrent layer ---


def _recurrent(
    cell: int, x: Tensor, h0: Tensor, c0: Tensor | None, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None,
    b_hh: Tensor | None, save: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    (T, B), (rows, I), H = x.shape[:2], w_ih.shape, w_hh.shape[1]
    token_ids = not x.is_floating_point()
    x = x.to(torch.int64).contiguous() if token_ids else _expect("x", x, (T, B, I))  # type: ignore[assignment]
    h0, c0 = _expect("h0", h0, (B, H)), _expect("c0", c0, (B, H))  # type: ignore[assignment]
    w_ih, w_hh = _expect("w_ih", w_ih, (_GATES[cell] * H, I)), _expect("w_hh", w_hh, (rows, H))  # type: ignore[assignment]
    b_ih, b_hh = _expect("b_ih", b_ih, (rows,)), _expect("b_hh", b_hh, (rows,))
    out, hn, cn, gates, cells = _recurrent_outputs(cell, x, h0, w_ih, w_hh, save)
    _cpu.forward(
        cell, T, B, I, H, _address(x) if token_ids else 0, 0 if token_ids else _address(x), _address(h0), _address(c0),
        _address(w_ih), _address(w_hh), _address(b_ih), _address(b_hh), _address(out), _address(hn), _address(cn),
        _address(gates), _address(cells),
    )  # fmt: skip
    return out, hn, cn, gates, cells


def _recurrent_outputs(
    cell: int, x: Tensor, h0: Tensor, w_ih: Tensor, w_hh: Tensor, save: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """out (T, B, H); hn, cn (B, H); for backward, the gates' activations (T, B, saved * H) and c (T, B, H). What a cell
    lacks has no elements."""
    (T, B), H = x.shape[:2], w_hh.shape[1]
    new = w_hh.new_empty
    kept = _SAVED[cell] * H if save else 0
    return (
        new((T, B, H)), new((B, H)), new((B, H) if cell == _LSTM else (0,)), new((T, B, kept) if kept else (0,)),
        new((T, B, H) if save and cell == _LSTM else (0,)),
    )  # fmt: skip


def _recurrent_backward(
    cell: int, x: Tensor, h0: Tensor, c0: Tensor | None, w_ih: Tensor, w_hh: Tensor, bias: bool, out: Tensor,
    gates: Tensor, cells: Tensor, d_out: Tensor | None, d_hn: Tensor | None, d_cn: Tensor | None, want: list[bool],
) -> tuple[Tensor, ...]:  # fmt: skip
    (T, B), (_, I), H = x.shape[:2], w_ih.shape, w_hh.shape[1]
    token_ids = not x.is_floating_point()
    x, h0, c0, w_ih, w_hh = (_dense(t) for t in (x, h0, c0, w_ih, w_hh))  # type: ignore[assignment]
    d_out, d_hn, d_cn = _dense(d_out), _dense(d_hn), _dense(d_cn)
    grads = _recurrent_gradients(cell, x, h0, w_ih, w_hh, bias, want)
    _cpu.backward(
        cell, T, B, I, H, _address(x) if token_ids else 0, 0 if token_ids else _address(x), _address(h0), _address(c0),
        _address(w_ih), _address(w_hh), _address(out), _address(gates), _address(cells), _address(d_out),
        _address(d_hn), _address(d_cn), *(_address(g) for g in grads), False,
    )  # fmt: skip
    return grads


def _recurrent_gradients(
    cell: int, x: Tensor, h0: Tensor, w_ih: Tensor, w_hh: Tensor, bias: bool, want: list[bool]
) -> tuple[Tensor, ...]:
    """Of x, h0, c0, w_ih, w_hh, b_ih, b_hh; empty where not wanted. want: x, the state, w_ih, w_hh, biases."""
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


def recurrent(cell: str, x: Tensor, state: State, weights: Weights) -> tuple[Tensor, State]:
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


def _linear(x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    N, K = w.shape
    x, w, b = _expect("x", x, (*x.shape[:-1], K)), _expect("weight", w, (N, K)), _expect("bias", b, (N,))  # type: ignore[assignment]
    y = x.new_empty((*x.shape[:-1], N))
    if y.numel():
        _cpu.linear(y.numel() // N, K, N, _address(x), _address(w), _address(b), _address(y))
    return y


def _linear_backward(x: Tensor, w: Tensor, d_y: Tensor, want: list[bool]) -> tuple[Tensor, Tensor, Tensor]:
    N, K = w.shape
    x, w, d_y = x.contiguous(), w.contiguous(), d_y.contiguous()
    grads = _dense_gradients(x, w, want)
    _cpu.linear_backward(*_rows(x), K, N, _address(x), _address(w), _address(d_y), *map(_address, grads), False)
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
        _cpu.loss(
            *_rows(hidden), H, V, _address(hidden), _address(w), _address(b), _address(targets), _address(nats),
            _address(mean), _address(saved),
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
    V, H = w.shape
    hidden, w, targets = hidden.contiguous(), w.contiguous(), targets.to(torch.int64).contiguous()
    grads = _dense_gradients(hidden, w, want)
    _cpu.loss_backward(
        *_rows(hidden), H, V, _address(hidden), _address(w), _address(_dense(b)), _address(targets), _address(saved),
        float(d_mean), *map(_address, grads), False,
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
    threshold, mask = round(p * 2**32), 2**64 - 1
    _cpu.dropout(_address(x), _address(y), x.numel(), seed & mask, offset & mask, threshold, 1.0 / (1.0 - p))
    return y


def _dropout_setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.p, ctx.seed, ctx.offset = inputs[1:]


def _dropout_grad(ctx: Any, d_y: Tensor) -> tuple[Tensor, None, None, None]:
    return torch.ops.elman.dropout(d_y, ctx.p, ctx.seed, ctx.offset), None, None, None


def dropout(x: Tensor, p: float, seed: int, offset: int) -> Tensor:
    return torch.ops.elman.dropout(x, p, seed - 2**64 if seed >= 2**63 else seed, offset)


# --- a step of training, all of it at once: the same operations without autograd's bookkeeping ---


def loss_and_grads(
    cell: str,
    ids: Tensor,
    targets: Tensor,
    states: Sequence[State],
    layers: Sequence[Weights],
    output: tuple[Tensor, Tensor | None],
    drop: tuple[float, int, Sequence[int]] | None,
) -> tuple[float, list[State], list[Tensor]]:
    """See `elman.kernels.loss_and_grads`."""
    ran: list[Any] = []
    last: list[State] = []
    kind, x = CELLS[cell], ids
    for i, (state, weights) in enumerate(zip(states, layers, strict=True)):
        if i and drop:
            x = _dropout(x, drop[0], drop[1], drop[2][i])
        c0 = state[1] if kind == _LSTM else None
        out, hn, cn, gates, cells = _recurrent(kind, x, state[0], c0, *weights, True)
        ran.append((kind, x, state[0], c0, weights[0], weights[1], weights[2] is not None, out, gates, cells))
        last.append((hn, cn) if kind == _LSTM else (hn,))
        x = out
    mean, _, saved = _cross_entropy(x, *output, targets, True)
    d_x, d_w, d_b = _cross_entropy_backward(x, *output, targets, saved, 1.0, [True, True, output[1] is not None])
    grads = [d_w] if output[1] is None else [d_w, d_b]
    for i, arguments in reversed(list(enumerate(ran))):
        of_run = _recurrent_backward(*arguments, d_x, None, None, [i > 0, False, True, True, True])  # pyright: ignore
        d_x, _, _, *of_weights = of_run
        grads = of_weights[: 4 if arguments[6] else 2] + grads
        if i and drop:
            d_x = _dropout(d_x, drop[0], drop[1], drop[2][i])
    return mean.item(), last, grads


# --- generation: a model packed once, then read token by token ---


class Decoder:
    """See `elman.kernels.decoder`. A copy of the weights: it does not see later changes to them."""

    def __init__(
        self, cell: str, batch_size: int, layers: Sequence[Weights], output: tuple[Tensor, Tensor | None]
    ) -> None:
        kind, (V, H) = CELLS[cell], output[0].shape
        self._sizes, self._addresses = [kind, len(layers), batch_size, H, V], []
        self._owned: list[Tensor | None] = []
        for i, weights in enumerate(layers):
            w_ih, w_hh, b_ih, b_hh = (_dense(w.detach() if w is not None else None) for w in weights)
            assert w_ih is not None
            rows, I = w_ih.shape
            packed = torch.empty(_cpu.packed_hh_size(kind, H))
            of_input = torch.empty(I * rows if i == 0 else _cpu.packed_size(rows, I))
            bias = torch.empty(rows)
            _cpu.decoder_pack(
                kind, I, H, i == 0, _address(w_ih), _address(w_hh), _address(b_ih), _address(b_hh), _address(packed),
                _address(of_input), _address(bias),
            )  # fmt: skip
            b_hn = b_hh[2 * H :].clone() if cell == "gru" and b_hh is not None else None
            self._own(packed, b_hn, of_input, bias)
        w_out = torch.empty(_cpu.packed_size(V, H))
        weight = output[0].detach().contiguous()
        _cpu.decoder_pack_output(V, H, _address(weight), _address(w_out))
        self.h = torch.zeros(len(layers), batch_size, H)
        self.c = torch.zeros_like(self.h) if cell == "lstm" else None
        self.logits = torch.zeros(batch_size, V)
        self._own(w_out, None if output[1] is None else output[1].detach().clone(), self.h, self.c, self.logits)

    def _own(self, *tensors: Tensor | None) -> None:
        self._owned += tensors
        self._addresses += [_address(t) for t in tensors]

    def read(self, ids: Tensor) -> None:
        ids = ids.to(torch.int64).contiguous()
        _cpu.decoder_read(self._sizes, self._addresses, len(ids), _address(ids))

    def generate(
        self,
        steps: int,
        bias: Tensor | None,
        exponent: float,
        draws: Tensor | None,
        *,
        top_k: int | None = None,
        top_p: float | None = None,
        min_p: float | None = None,
        penalty: float = 1.0,
        seen: Tensor | None = None,
    ) -> Tensor:
        ids = torch.empty((steps, self._sizes[2]), dtype=torch.int64)
        choice = [
            penalty,
            exponent,
            min(top_k or 0, self._sizes[4]),
            *(-1.0 if p is None else p for p in (top_p, min_p)),
        ]
        if not _cpu.decoder_generate(
            self._sizes, self._addresses, steps, _address(bias), choice, _address(draws),
            _address(seen) if penalty != 1 else 0, _address(ids),
        ):  # fmt: skip
            raise InputError("the model's logits are not numbers; its training has diverged")
        return ids


def exp(x: Tensor) -> Tensor:
    x = x.contiguous()
    y = torch.empty_like(x)
    _cpu.math(0, _address(x), _address(y), x.numel())
    return y


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
):  # fmt: skip
    _library.impl(_name, _function, "CPU")
    torch.library.register_fake(f"elman::{_name}", _shapes)
for _name, _grad, _setup in (
    ("recurrent", _recurrent_grad, _recurrent_setup),
    ("linear", _linear_grad, _linear_setup),
    ("cross_entropy", _cross_entropy_grad, _cross_entropy_setup),
    ("dropout", _dropout_grad, _dropout_setup),
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


# --- updates, in place ---


def _addresses(tensors: Sequence[Tensor]) -> list[int]:
    for t in tensors:
        if not t.is_contiguous() or t.dtype != torch.float32:
            raise ValueError(
                f"the native updates need contiguous float32 tensors, got {t.dtype} with strides {t.stride()}"
            )
    return [t.data_ptr() for t in tensors]


def _sizes(tensors: Sequence[Tensor]) -> list[int]:
    return [t.numel() for t in tensors]


def grad_norm(grads: Sequence[Tensor]) -> float:
    grads = [g.contiguous() for g in grads]
    return _cpu.norm(_addresses(grads), _sizes(grads))


def sgd_(params: Sequence[Tensor], grads: Sequence[Tensor], lr: float, scale: float) -> None:
    grads = [g.contiguous() for g in grads]
    _cpu.sgd(_addresses(params), _addresses(grads), _sizes(params), lr, scale)


def adamw_(
    params: Sequence[Tensor],
    grads: Sequence[Tensor],
    exp_avg: Sequence[Tensor],
    exp_avg_sq: Sequence[Tensor],
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    scale: float,
) -> None:
    grads = [g.contiguous() for g in grads]
    correction1, correction2 = 1.0 - _power(beta1, step), math.sqrt(1.0 - _power(beta2, step))
    numbers = [
        beta1, 1.0 - beta1, beta2, 1.0 - beta2, eps, 1.0 - lr * weight_decay, correction2, lr / correction1, scale,
    ]  # fmt: skip
    lists = (params, grads, exp_avg, exp_avg_sq)
    _cpu.adamw(*(_addresses(tensors) for tensors in lists), _sizes(params), numbers)


def _power(base: float, exponent: int) -> float:
    """base ** exponent by multiplications alone: libm's pow differs between machines."""
    result = 1.0
    while exponent:
        if exponent & 1:
            result *= base
        base *= base
        exponent >>= 1
    return result
