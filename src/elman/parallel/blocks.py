"""Blocks: the parts of matrices that Muon updates as a whole, on their way from the slices' owners and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..kernels import Array
from .group import Group
from .slices import Owned, Slices, Span, length, overlap


class Blocks:
    """The blocks that each process updates.

    Args:
        weights: of the model.
    """

    def __init__(self, group: Group, slices: Slices, weights: Sequence[Array]) -> None:
        self._group, self._slices, self._weights = group, slices, weights
        self._owned = slices.owned[group.rank]
        self._any = any(owned.blocks for owned in slices.owned)

    def collect(self, grads: Array) -> Callable[[], list[Array]]:
        """The gradients of this process's blocks, (n,) each, from those that added them; what it returns waits."""
        if not self._any:
            return list
        begin = self._owned.spans[0][0]
        parts = [
            joined([grads[a - begin : b - begin] for _, (a, b) in _common(self._owned, owned)])
            for owned in self._slices.owned
        ]
        received = self._group.exchange(parts, [_size(_common(owned, self._owned)) for owned in self._slices.owned])

        def collected() -> list[Array]:
            blocks = [np.empty(b - a, dtype=np.float32) for a, b in self._owned.blocks]
            for owned, part in zip(self._slices.owned, received(), strict=True):
                at = 0
                for block, (a, b) in _common(owned, self._owned):
                    start = self._owned.blocks[block][0]
                    blocks[block][a - start : b - start] = part[at : at + b - a]
                    at += b - a
            return blocks

        return collected

    def scatter(self) -> None:
        """Give the new weights of this process's blocks to those that own the slices, and get this one's."""
        if not self._any:
            return
        parts = [
            joined(
                [
                    joined([piece.of(self._weights) for piece in self._slices.pieces(span)])
                    for _, span in _common(owned, self._owned)
                ]
            )
            for owned in self._slices.owned
        ]
        lengths = [_size(_common(self._owned, owned)) for owned in self._slices.owned]
        got = self._group.exchange(parts, lengths)()
        for rank, (owned, part) in enumerate(zip(self._slices.owned, got, strict=True)):
            at = 0
            for _, (a, b) in _common(self._owned, owned) if rank != self._group.rank else ():
                write(self._slices, self._weights, (a, b), part[at : at + b - a])
                at += b - a


def write(slices: Slices, weights: Sequence[Array], span: Span, values: Array) -> None:
    """New weights of a span, (n,)."""
    at = 0
    for piece in slices.pieces(span):
        piece.of(weights)[...] = values[at : at + piece.size]
        at += piece.size


def joined(parts: list[Array]) -> Array:
    """One after the other, float32 (n,), and without a copy where there is one."""
    if len(parts) == 1:
        return parts[0].reshape(-1)
    return np.concatenate([part.reshape(-1) for part in parts]) if parts else np.zeros(0, dtype=np.float32)


def _common(adds: Owned, updates: Owned) -> list[tuple[int, Span]]:
    """Which part of each block of one process is in the slice of another: (the block's number, the part)."""
    parts = [(number, overlap(adds.spans[0], block)) for number, block in enumerate(updates.blocks)]
    return [(number, part) for number, part in parts if part[0] < part[1]]


def _size(parts: list[tuple[int, Span]]) -> int:
    return sum(length(span) for _, span in parts)
