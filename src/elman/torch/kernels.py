"""Kernels on tensors: one signature per operation, and the choice of who serves it.

Three backends: `cpu`, the native kernel (float32 on a CPU, the same bits everywhere); `torch`, torch.nn's own fused
layers (GPUs, float64, no compiler); `reference`, plain loops. The first that can serve a call does; ELMAN_BACKEND or
`use` forces one.

Shapes, last axis fastest: T steps, B batch, V vocabulary, I input, H hidden, G gates (RNN 1, GRU 3, LSTM 4).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import ModuleType

import torch
from torch import Tensor

from .. import given
from .. import kernels as core
from ..errors import InputError
from ..kernels.forced import Forced
from . import fused, reference
from .reference import LayerWeights, State

_native: ModuleType | None = None
if core.has_native():
    from . import operators as _native

_BACKENDS: dict[str, ModuleType | None] = {"cpu": _native, "torch": fused, "reference": reference}
_forced = Forced(lambda name: _backend(name))


def use(backend: str) -> AbstractContextManager[None]:
    """Serve every call inside the `with` from `backend`: "cpu", "torch" or "reference"."""
    given.instance("backend", backend, str, "cpu, torch or reference")
    return _forced.use(backend)


def serving(like: Tensor) -> tuple[str, str]:
    """Which backend serves tensors such as `like`, and why.

    Returns:
        (name, reason), for example ("torch", "float64; the native kernel computes in float32").
    """
    if forced := _forced.backend():
        return forced
    if torch._C._are_functorch_transforms_active():  # of torch.func: grad, vjp, jvp, jacrev, vmap
        return "reference", "inside torch.func; the native kernel has first derivatives in reverse alone"
    if like.device.type != "cpu":
        return "torch", f"device {like.device.type}; the native kernel runs on the CPU"
    if like.dtype != torch.float32:
        return "torch", f"{str(like.dtype).removeprefix('torch.')}; the native kernel computes in float32"
    if _native is None:
        return "torch", core.about()
    return "cpu", core.about()


def _backend(name: str) -> ModuleType:
    if name not in _BACKENDS:
        raise InputError(
            f"unknown backend {name!r} (ELMAN_BACKEND, kernels.use); expected one of {', '.join(_BACKENDS)}"
        )
    module = _BACKENDS[name]
    if module is None:
        raise InputError(f"backend {name!r} cannot serve here: {core.about()}")
    return module


def _serve(like: Tensor, cell: str | None = None) -> ModuleType:
    """The kernels that serve such tensors; the reference where that is the only one to have the cell."""
    module = _backend(serving(like)[0])
    return module if cell is None or module is reference or cell in module.CELLS else reference


def recurrent(cell: str, x: Tensor, state: State, weights: LayerWeights) -> tuple[Tensor, State]:
    """One recurrent layer, one direction, over T steps.

    Args:
        cell: a key of `elman.kernels.CELLS`.
        x: token ids, int64 (T, B), values in 0..I-1, for which the product with w_ih is a look-up of its columns; or
            real-valued input (T, B, I).
        state: (h,), or (h, c) for "lstm", each (B, H).
        weights: w_ih (GH, I), w_hh (GH, H), and b_ih, b_hh (GH) or None, in torch's gate order.
    Returns:
        output: (T, B, H), h after every step.
        state: after the last step, as `state`.
    """
    return _serve(weights[1], cell).recurrent(cell, x, state, weights)


def own(output: Tensor) -> Tensor:
    """The output of the last `recurrent`, which may be written into."""
    module = _backend(serving(output)[0])
    return module.copy(output) if module is _native and module is not None else output


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


def dropout(x: Tensor, p: float, seed: int, offset: int) -> Tensor:
    """Zero a share p of x and scale the rest by 1/(1-p). Element i is kept iff word offset+i of Philox4x32-10 under the
    64-bit key `seed` is at least p 2^32: the mask depends on nothing else, so it is the same on every backend."""
    return _serve(x).dropout(x, p, seed, offset)
