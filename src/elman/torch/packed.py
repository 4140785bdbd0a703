"""A layer over sequences of different lengths, in either direction."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from . import kernels

Direction = Callable[[str, Tensor, kernels.State, kernels.LayerWeights], tuple[Tensor, kernels.State]]
"""How one layer runs in one direction: as `kernels.recurrent`."""


def stack(layers: Sequence[Tensor]) -> Tensor:
    """(B, H) of each layer -> (L, B, H). One alone is not copied: a large copy would wake torch's threads, which then
    spin for a while on the kernel's cores. Nor is it a view, which `detach_`, as the book's loop calls it, refuses."""
    if len(layers) > 1 or torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]  (sizes would be fixed)
        return torch.stack(list(layers))
    return torch.ops.aten._unsafe_view(layers[0], (1, *layers[0].shape))


def backward(cell: str, x: Tensor, state: kernels.State, weights: kernels.LayerWeights) -> tuple[Tensor, kernels.State]:
    """`kernels.recurrent` from the last step to the first."""
    out, last = kernels.recurrent(cell, x.flip(0), state, weights)
    return out.flip(0), last


Runs = list[tuple[int, int]]  # of a packed sequence: sequences that go on, and for how many steps so many do


def _blocks(x: Tensor, runs: Runs) -> list[Tensor]:
    """The packed steps (sum, ...) as one (steps, b, ...) for each run."""
    parts = x.split([b * steps for b, steps in runs])
    return [part.unflatten(0, (steps, b)) for part, (b, steps) in zip(parts, runs, strict=True)]


def packed_forward(
    runs: Runs, cell: str, x: Tensor, state: kernels.State, weights: kernels.LayerWeights
) -> tuple[Tensor, kernels.State]:
    """Sequences leave as they end, the last ones of the batch first."""
    outputs, ended = [], []
    for block in _blocks(x, runs):
        b = block.shape[1]
        ended.append(tuple(part[b:] for part in state))
        out, state = kernels.recurrent(cell, block, tuple(part[:b] for part in state), weights)
        outputs.append(out.flatten(0, 1))
    groups = [state, *reversed(ended)]
    last = tuple(torch.cat([group[i] for group in groups]) for i in range(len(state)))
    return torch.cat(outputs), last


def packed_backward(
    runs: Runs, cell: str, x: Tensor, state: kernels.State, weights: kernels.LayerWeights
) -> tuple[Tensor, kernels.State]:
    """Run from the end: sequences join at their last step, with their own first state."""
    outputs, now = [], tuple(part[:0] for part in state)
    for block in reversed(_blocks(x, runs)):
        b = block.shape[1]
        now = tuple(torch.cat((part, first[len(part) : b])) for part, first in zip(now, state, strict=True))
        out, now = backward(cell, block, now, weights)
        outputs.append(out.flatten(0, 1))
    return torch.cat(outputs[::-1]), now
