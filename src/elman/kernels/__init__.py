"""The only place where a step of a model is defined: one signature per operation, and the choice of who computes it.

Three backends: `cpu`, the native kernel (float32 on a CPU, the same bits everywhere); `torch`, torch.nn's own fused
layers (GPUs, float64, no compiler); `reference`, plain loops that define what the other two must compute. The first
that can serve a call does; ELMAN_BACKEND or `use` forces one.

Shapes, last axis fastest: T steps, B batch, V vocabulary, I input, H hidden, G gates (RNN 1, GRU 3, LSTM 4).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError
from . import reference, torchnn
from .reference import State, Weights

_about = ""
_native: ModuleType | None = None
try:
    from . import cpu
except ImportError:  # built without a C++ compiler
    _about = "the native kernel is not built"
else:
    _available, _about = cpu.available()
    _native = cpu if _available else None

CELLS = {"rnn_relu": 1, "rnn_tanh": 1, "gru": 3, "lstm": 4}
"""Gates per cell."""

_BACKENDS: dict[str, ModuleType | None] = {"cpu": _native, "torch": torchnn, "reference": reference}
_forced: ContextVar[tuple[tuple[str, object], ...]] = ContextVar("forced", default=())
"""What `use` asks for, the latest last; each thread and task has its own."""


@contextlib.contextmanager
def use(backend: str) -> Iterator[None]:
    """Serve every call inside the `with` from `backend`: "cpu", "torch" or "reference"."""
    _backend(backend)
    entry = (backend, object())
    _forced.set((*_forced.get(), entry))
    try:
        yield
    finally:  # by name, since two may end in another order than they began
        _forced.set(tuple(other for other in _forced.get() if other is not entry))


def serving(like: Tensor) -> tuple[str, str]:
    """Which backend serves tensors such as `like`, and why.

    Returns:
        (name, reason), for example ("torch", "float64; the native kernel computes in float32").
    """
    used = _forced.get()
    forced = used[-1][0] if used else os.environ.get("ELMAN_BACKEND")
    if forced:
        _backend(forced)
        return forced, "forced by kernels.use" if used else "forced by ELMAN_BACKEND"
    if torch._C._are_functorch_transforms_active():  # of torch.func: grad, vjp, jvp, jacrev, vmap
        return "reference", "inside torch.func; the native kernel has first derivatives in reverse alone"
    if torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
        return "torch", "inside torch.jit.trace, which records torch's own operations"
    if like.device.type != "cpu":
        return "torch", f"device {like.device.type}; the native kernel runs on the CPU"
    if like.dtype != torch.float32:
        return "torch", f"{str(like.dtype).removeprefix('torch.')}; the native kernel computes in float32"
    if _native is None:
        return "torch", _about
    return "cpu", _about


def _backend(name: str) -> ModuleType:
    if name not in _BACKENDS:
        raise InputError(
            f"unknown backend {name!r} (ELMAN_BACKEND, kernels.use); expected one of {', '.join(_BACKENDS)}"
        )
    module = _BACKENDS[name]
    if module is None:
        raise InputError(f"backend {name!r} cannot serve here: {_about}")
    return module


def _serve(like: Tensor, cell: str | None = None) -> ModuleType:
    """What serves such tensors; the reference where that is the only one to have the cell."""
    module = _backend(serving(like)[0])
    return module if cell is None or module is reference or cell in module.CELLS else reference


def recurrent(cell: str, x: Tensor, state: State, weights: Weights) -> tuple[Tensor, State]:
    """One recurrent layer, one direction, over T steps.

    Args:
        cell: a key of `CELLS`.
        x: token ids, int64 (T, B), values in 0..I-1, for which the product with w_ih is a look-up of its columns; or
            real-valued input (T, B, I).
        state: (h,), or (h, c) for "lstm", each (B, H).
        weights: w_ih (GH, I), w_hh (GH, H), and b_ih, b_hh (GH) or None, in torch's gate order.
    Returns:
        output: (T, B, H), h after every step.
        state: after the last step, as `state`.
    """
    return _serve(weights[1], cell).recurrent(cell, x, state, weights)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x (..., K) times weight (N, K) transposed, plus bias (N): (..., N)."""
    return _serve(weight).linear(x, weight, bias)


def cross_entropy(hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Dense output, softmax and cross-entropy in one operation.

    Args:
        hidden: (..., H). weight: (V, H). bias: (V) or None.
        targets: int64 (...), values in 0..V-1; -1: not counted.
    Returns:
        mean: 0-d, the mean over the targets that count, in nats; differentiable.
        nats: (...), the loss of each target, 0 where it does not count; detached.
    """
    return _serve(weight).cross_entropy(hidden, weight, bias, targets)


def loss_and_grads(
    cell: str,
    ids: Tensor,
    targets: Tensor,
    states: Sequence[State],
    layers: Sequence[Weights],
    output: tuple[Tensor, Tensor | None],
    drop: tuple[float, int, Sequence[int]] | None = None,
) -> tuple[float, list[State], list[Tensor]]:
    """Forward and backward through a whole model: a step of training, without the update.

    Args:
        ids, targets: int64 (T, B); a target of -1 does not count.
        states, layers: of every layer, as `recurrent` takes them; no gradient goes to the states.
        output: weight (V, H) and bias (V) or None of the dense layer.
        drop: dropout between layers: p, the seed, and for each layer the offset of its input's mask.
    Returns:
        mean: in nats; what `cross_entropy` gives, to the bit.
        states: after the last step.
        grads: of all weights, layer by layer, then of the dense layer: those of an autograd pass, to the bit.
    """
    module = _serve(output[0], cell)
    if module is _native:
        return module.loss_and_grads(cell, ids, targets, states, layers, output, drop)
    x, last = ids, []
    for i, (state, weights) in enumerate(zip(states, layers, strict=True)):
        if i and drop:
            x = module.dropout(x, drop[0], drop[1], drop[2][i])
        x, after = module.recurrent(cell, x, state, weights)
        last.append(tuple(s.detach() for s in after))
    mean, _ = module.cross_entropy(x, *output, targets)
    weights = [w for group in (*layers, output) for w in group if w is not None]
    free = [w for w in weights if w.requires_grad]
    grads = iter(torch.autograd.grad(mean, free) if free else ())
    return mean.item(), last, [next(grads) if w.requires_grad else torch.zeros_like(w) for w in weights]


def decoder(cell: str, batch_size: int, layers: Sequence[Weights], output: tuple[Tensor, Tensor | None]) -> Any | None:
    """The model packed for reading token by token and for generating in native code, or None where that cannot be.

    Returns:
        an object with `h`, `c` (L, B, H) and `logits` (B, V), zeros at first; `read(ids)`, int64 (T, B); and
        `generate(steps, bias, exponent, draws, ...)`, the next int64 (steps, B): the likeliest ones if exponent < 0,
        else those that draws, float64 (steps, B) in [0, 1), fall on. bias: float32 (V,) or None; top_k, top_p, min_p,
        penalty as `generation.Sampling` says; seen: bool (B, V), what the penalty is for, updated. Its bits are those
        of the other operations.
    """
    if _native is None or _serve(output[0], cell) is not _native:
        return None
    return _native.Decoder(cell, batch_size, layers, output)


def dropout(x: Tensor, p: float, seed: int, offset: int) -> Tensor:
    """Zero a share p of x and scale the rest by 1/(1-p). Element i is kept iff word offset+i of Philox4x32-10 under the
    64-bit key `seed` is at least p 2^32: the mask depends on nothing else, so it is the same on every backend."""
    return _serve(x).dropout(x, p, seed, offset)


def exp(x: Tensor) -> Tensor:
    """e^x: the same bits everywhere where the native kernel serves, as sampling needs them."""
    return _serve(x).exp(x)


def grad_norm(grads: Sequence[Tensor]) -> float:
    """The Euclidean norm of all gradients together."""
    return _serve(grads[0]).grad_norm(grads)


def sgd_(params: Sequence[Tensor], grads: Sequence[Tensor], lr: float, scale: float = 1.0) -> None:
    """p -= (g * scale) * lr, in place. `scale` is the clipping's factor."""
    _serve(params[0]).sgd_(params, grads, lr, scale)


def adamw_(
    params: Sequence[Tensor],
    grads: Sequence[Tensor],
    exp_avg: Sequence[Tensor],
    exp_avg_sq: Sequence[Tensor],
    step: int,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    scale: float = 1.0,
) -> None:
    """AdamW in place, with decoupled weight decay; 0 makes it Adam. `step` counts from 1; `scale` as in `sgd_`.

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization" (2019).
    """
    _serve(params[0]).adamw_(params, grads, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps, weight_decay, scale)
