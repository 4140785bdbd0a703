"""How a call of the native kernel becomes an operator of torch: its schema, shapes and derivative."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

_library = torch.library.Library("elman", "DEF")


def operator(
    schema: str,
    compute: Callable[..., Any],
    shapes: Callable[..., Any],
    gradient: Callable[..., Any] | None = None,
    setup: Callable[..., Any] | None = None,
) -> None:
    """Register `torch.ops.elman.NAME`.

    Args:
        schema: "NAME(arguments) -> results", as torch.library has it.
        compute: on the CPU.
        shapes: empty results, of arguments without values.
        gradient, setup: the derivative, and what it keeps; None: it has none, and asking for one is an error.
    """
    name = schema.partition("(")[0]
    _library.define(schema)
    _library.impl(name, compute, "CPU")
    torch.library.register_fake(f"elman::{name}", shapes)
    if gradient is None:  # else the second derivative would be zero, silently
        torch.library.register_autograd(f"elman::{name}", _no_second_derivative)
        return
    torch.library.register_autograd(f"elman::{name}", gradient, setup_context=setup)
    if hasattr(torch.library, "register_autocast"):  # torch 2.7: inside autocast the kernel still computes in float32
        torch.library.register_autocast(f"elman::{name}", "cpu", torch.float32)


def _no_second_derivative(*_: Any) -> Any:
    raise RuntimeError(
        "the native kernel has no second derivative; compute with kernels.use('reference'), or in float64"
    )


def array(x: Tensor | None) -> Any:
    """The tensor's memory, for the kernel, which holds it while it works. None for a tensor (0,): not wanted."""
    return None if x is None or x.shape == (0,) else x.detach().numpy()


def dense(x: Tensor | None) -> Tensor | None:
    """`x` in one piece."""
    return None if x is None else x.contiguous()


def expect(name: str, x: Tensor | None, shape: tuple[int, ...]) -> Tensor | None:
    """`x` in one piece. Raises ValueError unless it has this shape, is float32 and lies on the CPU."""
    if x is None:
        return None
    if tuple(x.shape) != shape or x.dtype != torch.float32 or x.device.type != "cpu":
        raise ValueError(f"{name} is {x.dtype} {tuple(x.shape)} on {x.device}; expected torch.float32 {shape} on cpu")
    return x.contiguous()
