"""Slices: which part of the parameters each process adds and updates, decided by the model and the number of processes.

The parameters are one flat row of P numbers, weight after weight, Muon's matrices first, and each process owns a slice
of either part: one of Muon's, one of the rest. Slices end only where chunks do, whose norms are computed one by one, so
the norm of all does not depend on N. A matrix that Muon updates is divided by gate into blocks; each block is updated
as a whole by one process, which collects it from the slices. Who has more to collect owns less of the rest, whose sums
are sent meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..kernels import Array, ModelWeights

_CHUNKS = 512  # of a model, about: fine enough to divide, few enough that their norms cost nothing

Span = tuple[int, int]
"""Start and end in the flat parameters."""


@dataclass(frozen=True)
class Piece:
    """A range of one weight's elements, with rows and columns if it is a block for Muon."""

    weight: int
    start: int
    stop: int
    columns: int = 0

    @property
    def size(self) -> int:
        return self.stop - self.start

    def of(self, weights: Sequence[Array]) -> Array:
        """A view of it: (n,), or (rows, columns) of a block."""
        view = weights[self.weight].reshape(-1)[self.start : self.stop]
        return view.reshape(-1, self.columns) if self.columns else view


@dataclass(frozen=True)
class Owned:
    """The part that one process owns."""

    spans: tuple[Span, Span]
    """Its slices: of Muon's weights, and of the rest."""
    slices: tuple[tuple[Piece, ...], tuple[Piece, ...]]
    """Their parts, weight by weight."""
    blocks: tuple[Span, ...]
    """The blocks that it updates."""
    of_blocks: tuple[Piece, ...]

    @property
    def slice(self) -> tuple[Piece, ...]:
        """The parts of both slices."""
        return self.slices[0] + self.slices[1]

    @property
    def updated(self) -> tuple[Piece, ...]:
        """Parts that it updates: the slice that is not Muon's, then whole blocks."""
        return self.slices[1] + self.of_blocks

    @property
    def lengths(self) -> tuple[int, int]:
        """Numbers in each of its slices."""
        return length(self.spans[0]), length(self.spans[1])


class Slices:
    """The slices of N processes.

    Args:
        muon: which weights Muon updates.
    """

    def __init__(self, network: ModelWeights, muon: Sequence[bool], size: int) -> None:
        weights = network.weights()
        self.order = sorted(range(len(weights)), key=lambda i: not muon[i])
        """The weights in their order here."""
        edges = np.concatenate([[0], np.cumsum([weights[i].size for i in self.order])]).tolist()
        self.starts = [edges[self.order.index(i)] for i in range(len(weights))]
        """The first number of each weight."""
        self.chunks, self.total = _chunks(edges), edges[-1]
        middle = edges[sum(muon)]
        of_muon = self._divided((0, middle), [1.0] * size)
        blocks, owners = self._blocks(weights, muon, network.cell.gates), list[int]()
        loads = [0] * size
        for a, b, columns in blocks:
            shares = [-length(overlap((a, b), span)) for span in of_muon]  # ties: who has most of it already
            owner = min(range(size), key=lambda r: (loads[r], shares[r], r))
            loads[owner] += (b - a) * min(columns, (b - a) // columns)
            owners.append(owner)
        collected = [0] * size
        for (a, b, _), owner in zip(blocks, owners, strict=True):
            collected[owner] += b - a - length(overlap((a, b), of_muon[owner]))
        rest = self._divided((middle, self.total), _level(collected, (size - 1) * (self.total - middle)))
        self._weights = weights
        self.owned = tuple(
            self._of(spans, [block for block, owner in zip(blocks, owners, strict=True) if owner == rank])
            for rank, spans in enumerate(zip(of_muon, rest, strict=True))
        )

    def _divided(self, span: Span, shares: Sequence[float]) -> list[Span]:
        """A span in slices of about these shares."""
        ends = span[0] + (span[1] - span[0]) * np.cumsum(shares) / (sum(shares) or 1.0)
        near = self.chunks[np.searchsorted(self.chunks, ends - 0.5)].tolist()  # rounding alone takes no further chunk
        return list(pairwise([span[0], *near[:-1], span[1]]))

    def _blocks(self, weights: Sequence[Array], muon: Sequence[bool], gates: int) -> list[tuple[int, int, int]]:
        """Start, end and columns of each."""
        found = []
        for start, weight, is_muons in zip(self.starts, weights, muon, strict=True):
            step = weight.size // gates
            found += [(start + g * step, start + (g + 1) * step, weight.shape[1]) for g in range(gates) if is_muons]
        return found

    def _of(self, spans: tuple[Span, Span], own: list[tuple[int, int, int]]) -> Owned:
        of_blocks = []
        for a, b, columns in own:
            (piece,) = self.pieces((a, b))
            of_blocks.append(Piece(piece.weight, piece.start, piece.stop, columns))
        slices = tuple(self.pieces(spans[0])), tuple(self.pieces(spans[1]))
        return Owned(spans, slices, tuple((a, b) for a, b, _ in own), tuple(of_blocks))

    def pieces(self, span: Span) -> list[Piece]:
        """A span, weight by weight."""
        found = []
        for weight in self.order:
            start = self.starts[weight]
            a, b = overlap(span, (start, start + self._weights[weight].size))
            if a < b:
                found.append(Piece(weight, a - start, b - start))
        return found

    def squares_of(self, squares: Array, weight: int) -> Array:
        """Numbers of one weight, from a number for each chunk."""
        start = self.starts[weight]
        a, b = np.searchsorted(self.chunks, (start, start + self._weights[weight].size))
        return squares[a:b]

    def chunks_of(self, span: Span) -> list[Span]:
        """The chunks that make up a slice."""
        a, b = np.searchsorted(self.chunks, span)
        cuts = self.chunks[a : b + 1].tolist()
        return list(pairwise(cuts))


def overlap(a: Span, b: Span) -> Span:
    """The overlap of both; empty if the second is not above the first."""
    return max(a[0], b[0]), min(a[1], b[1])


def length(span: Span) -> int:
    return max(0, span[1] - span[0])


def _level(filled: Sequence[int], more: int) -> list[float]:
    """How much of `more` each gets, if it fills them to the same level from what they have."""
    below, low = 0.0, sorted(filled)
    for count in range(1, len(low) + 1):
        below += low[count - 1]
        level = (below + more) / count
        if count == len(low) or level <= low[count]:
            return [max(0.0, level - have) for have in filled]
    return []


def _chunks(edges: list[int]) -> Array:
    """Bounds of the chunks, int64: at every weight's beginning, and within it every so many elements."""
    size = max(64, -(-edges[-1] // _CHUNKS))
    return np.unique(np.concatenate([[edges[-1]], *(np.arange(a, b, size) for a, b in pairwise(edges))]))
