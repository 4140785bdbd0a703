"""Slices: which part of the parameters each process adds and updates, decided by the model and the number of processes.

The parameters are one flat row of P numbers, weight after weight, and each process owns a contiguous slice of about
P / N. Slices end only where chunks do, whose norms are computed one by one, so the norm of all does not depend on N.
A matrix that Muon updates is divided by gate into blocks; each block is updated as a whole by one process.
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

    span: Span
    """Its slice."""
    slice: tuple[Piece, ...]
    """Its parts, weight by weight."""
    updated: tuple[Piece, ...]
    """Parts that it updates: the elements of its slice that are not Muon's, then whole blocks."""
    blocks: tuple[Span, ...]
    """These blocks."""

    @property
    def length(self) -> int:
        return self.span[1] - self.span[0]


class Slices:
    """The slices of N processes.

    Args:
        muon: which weights Muon updates.
    """

    def __init__(self, network: ModelWeights, muon: Sequence[bool], size: int) -> None:
        weights = network.weights()
        self.starts = np.concatenate([[0], np.cumsum([w.size for w in weights])]).tolist()
        self.chunks = _chunks(self.starts)
        total = self.starts[-1]
        edges = [0, *(int(self.chunks[np.searchsorted(self.chunks, total * r / size)]) for r in range(1, size)), total]
        spans = list(pairwise(edges))
        blocks, owners = self._blocks(weights, muon, network.cell.gates), list[int]()
        loads = [0] * size
        for a, b, columns in blocks:
            shares = [-_length(overlap((a, b), span)) for span in spans]  # ties: who has most of it already
            owner = min(range(size), key=lambda r: (loads[r], shares[r], r))
            loads[owner] += (b - a) * min(columns, (b - a) // columns)
            owners.append(owner)
        self.owned = tuple(self._of(r, spans[r], blocks, owners, muon) for r in range(size))

    def _blocks(self, weights: Sequence[Array], muon: Sequence[bool], gates: int) -> list[tuple[int, int, int]]:
        """Start, end and columns of each."""
        found = []
        for start, weight, is_muons in zip(self.starts, weights, muon, strict=False):
            step = weight.size // gates
            found += [(start + g * step, start + (g + 1) * step, weight.shape[1]) for g in range(gates) if is_muons]
        return found

    def _of(
        self, rank: int, span: Span, blocks: list[tuple[int, int, int]], owners: list[int], muon: Sequence[bool]
    ) -> Owned:
        own = [block for block, owner in zip(blocks, owners, strict=True) if owner == rank]
        of_slice = self.pieces(span)
        updated = [piece for piece in of_slice if not muon[piece.weight]]
        for a, b, columns in own:
            (piece,) = self.pieces((a, b))
            updated.append(Piece(piece.weight, piece.start, piece.stop, columns))
        return Owned(span, tuple(of_slice), tuple(updated), tuple((a, b) for a, b, _ in own))

    def pieces(self, span: Span) -> list[Piece]:
        """A span, weight by weight."""
        found = []
        for weight, of_weight in enumerate(pairwise(self.starts)):
            a, b = overlap(span, of_weight)
            if a < b:
                found.append(Piece(weight, a - of_weight[0], b - of_weight[0]))
        return found

    def chunks_of(self, span: Span) -> list[Span]:
        """The chunks that make up a slice."""
        a, b = np.searchsorted(self.chunks, span)
        cuts = self.chunks[a : b + 1].tolist()
        return list(pairwise(cuts))


def overlap(a: Span, b: Span) -> Span:
    """The overlap of both; empty if the second is not above the first."""
    return max(a[0], b[0]), min(a[1], b[1])


def _length(span: Span) -> int:
    return max(0, span[1] - span[0])


def _chunks(starts: list[int]) -> Array:
    """Bounds of the chunks, int64: at every weight's beginning, and within it every so many elements."""
    size = max(64, -(-starts[-1] // _CHUNKS))
    return np.unique(np.concatenate([[starts[-1]], *(np.arange(a, b, size) for a, b in pairwise(starts))]))
