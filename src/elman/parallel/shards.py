"""Shards: a batch in S parts, which the processes compute in contiguous ranges, and the sum of their gradients.

S is a setting of the recipe, since it decides in which order numbers are added. How many processes share the work is
not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from .. import kernels
from ..kernels import Array, Dropout, ModelWeights, State
from .tree import Node, nodes, total


def bounds(rows: int, shards: int) -> list[tuple[int, int]]:
    """Which rows of a batch each shard has; one may have none."""
    return [(rows * s // shards, rows * (s + 1) // shards) for s in range(shards)]


def share_of(rank: int, size: int, shards: int) -> Node:
    """Which shards, from and to, a process computes."""
    return shards * rank // size, shards * (rank + 1) // size


def rows_of(rank: int, size: int, shards: int, rows: int) -> tuple[int, int]:
    """Which rows of a batch, from and to, a process computes."""
    first, last = share_of(rank, size, shards)
    return rows * first // shards, rows * last // shards


def mask_words(dropout: Dropout, network: ModelWeights, steps: int, rows: int, shards: int) -> list[int]:
    """How many words of dropout's stream each shard of a batch uses, one after the other."""
    return [sum(dropout.words(network, steps, b - a).values()) for a, b in bounds(rows, shards)]


@dataclass
class Sum:
    """The sum of some shards: each counts as the share of targets that it has."""

    loss: float
    grads: Array
    """float32 (P,)."""

    def add(self, other: Sum) -> Sum:
        np.add(self.grads, other.grads, out=self.grads)
        return Sum(self.loss + other.loss, self.grads)


class Batch:
    """The shards of one batch that this process computes.

    Args:
        ids, targets: int64 (T, B); of these only the columns of `within` are read, and which targets are negative.
        state: of the rows of `within`, (L, b, H) each; replaced by the one after the batch.
        within: the shards, from and to. order: of the weights, in which their gradients are laid out.
    """

    def __init__(
        self,
        network: ModelWeights,
        shards: int,
        within: Node,
        ids: Array,
        targets: Array,
        state: State,
        dropout: Dropout | None,
        order: Sequence[int],
    ) -> None:
        self._order = order
        self._network, self._ids, self._targets, self._dropout = network, ids, targets, dropout
        self._bounds, self._before, self.state = bounds(ids.shape[1], shards), state, state
        self._first_row = self._bounds[within[0]][0]
        self._after: list[State] = []
        counts = [int(np.count_nonzero(targets[:, a:b] >= 0)) for a, b in self._bounds]
        self._shares = [np.float32(count / max(1, sum(counts))) for count in counts]
        self._words = mask_words(dropout, network, len(ids), ids.shape[1], shards) if dropout else []

    def counts(self, node: Node) -> bool:
        """Whether a shard of this node has a target that counts."""
        return any(self._shares[slice(*node)])

    def sums(self, within: Node, root: Node) -> list[tuple[Node, Sum | None]]:
        """The sums of the fewest nodes that make up the range; None where no target counts."""
        known = {(s, s + 1): partial(self._shard, s) for s in range(*within)}
        found = [(node, total(node, known, Sum.add)) for node in nodes(within, root)]
        self.state = tuple(np.concatenate(parts, axis=1) for parts in zip(*self._after, strict=True))
        return found

    def _shard(self, s: int) -> Sum | None:
        (a, b), network, dropout = self._bounds[s], self._network, self._dropout
        if dropout:
            dropout = replace(dropout, offset=dropout.offset + sum(self._words[:s]))
        first = self._first_row
        state = tuple(np.ascontiguousarray(part[:, a - first : b - first]) for part in self._before)
        cut = (np.ascontiguousarray(self._ids[:, a:b]), np.ascontiguousarray(self._targets[:, a:b]))
        loss, after, grads = kernels.loss_and_grads(network, *cut, state, dropout)
        self._after.append(after)
        share = self._shares[s]
        return Sum(loss * float(share), _scaled([grads[i] for i in self._order], share)) if share else None


def _scaled(arrays: Sequence[Array], share: np.float32) -> Array:
    """One after the other, (P,), times the share."""
    flat, at = np.empty(sum(array.size for array in arrays), dtype=np.float32), 0
    for array in arrays:
        np.multiply(array.reshape(-1), share, out=flat[at : at + array.size])
        at += array.size
    return flat
