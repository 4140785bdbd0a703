"""Priming: n-grams of a training text, counted, weighted on lines kept out, and pruned to a size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..kernels import Array

ORDER = 6
"""Most symbols of a context."""
_KINDS = 16 * 8  # of contexts of one order: by how often and with how many symbols they were seen
_ROUNDS = 12  # of expectation-maximisation
_NEVER = -1  # the node of a path that crosses the begin of a line


@dataclass
class Level:
    """All paths of one length in a text: node numbers are in the order of parent and symbol."""

    of: Array
    """int64 (N,): the node of the path that begins at each symbol of the text; `_NEVER` where there is none."""
    parent: Array
    """int64 (nodes,): of the level before."""
    symbol: Array
    """int64 (nodes,)."""
    suffix: Array
    """int64 (nodes,): the node of the level before of the path without its first symbol."""
    counts: Array
    """int64 (nodes,): how often, among the symbols that count."""


def levels(text: Array, start: int, counted: int) -> list[Level]:
    """The paths of a text, of 1 .. ORDER + 1 symbols.

    Args:
        text: int64 (N,): symbols. `start` ends a line; it can be the first or the last of a path, and no other.
        counted: of the last symbols of paths, the first so many count.
    """
    N = len(text)
    before, inner = np.zeros(N, np.int64), np.ones(N, bool)  # `inner`: may be gone on with
    made: list[Level] = []
    for length in range(1, ORDER + 2):
        last = np.full(N, start, np.int64)
        last[: N - length + 1] = text[length - 1 :]
        valid = inner & (np.arange(N) <= N - length) & (before != _NEVER)
        at = np.flatnonzero(valid)
        width = int(text.max()) + 1
        keys, first, inverse = np.unique(before[at] * width + last[at], return_index=True, return_inverse=True)
        of = np.full(N, _NEVER, np.int64)
        of[at] = inverse
        suffix = np.zeros(len(keys), np.int64)
        if made:
            suffix = made[-1].of[at[first] + 1]
        weights = at + length - 1 < counted
        counts = np.bincount(inverse, weights=weights, minlength=len(keys)).astype(np.int64)
        made.append(Level(of, keys // width, keys % width, suffix, counts))
        inner = inner & ((last != start) if length > 1 else True)
        before = of
    return made


def _kinds(totals: Array, distinct: Array) -> Array:
    often = np.where(totals < 4, totals, 3 + np.floor(np.log2(np.maximum(totals, 1))).astype(np.int64))
    return np.minimum(often, 15) * 8 + np.minimum(distinct, 7)


@dataclass
class _Contexts:
    totals: Array
    kinds: Array


def _contexts(made: list[Level]) -> list[_Contexts]:
    """Totals of what followed each context, by order."""
    found = []
    for order, level in enumerate(made):
        size = len(made[order - 1].counts) if order else 1
        totals = np.bincount(level.parent, weights=level.counts, minlength=size).astype(np.int64)
        distinct = np.bincount(level.parent[level.counts > 0], minlength=size)
        found.append(_Contexts(totals, _kinds(totals, distinct)))
    return found


def weights(text: Array, start: int, counted: int) -> Array:
    """float64 (ORDER + 1, kinds): the share of the lower order in a context, learned from the symbols that are not
    counted."""
    made = levels(text, start, counted)
    contexts = _contexts(made)
    targets = np.arange(counted, len(text))
    nodes, rows = [], []
    for order, level in enumerate(made):
        node = level.of[targets - order]
        node = np.where(targets >= order, node, _NEVER)
        context = level.parent[node]
        seen = (node != _NEVER) & (contexts[order].totals[context] > 0)
        share = np.where(seen, level.counts[node] / np.maximum(contexts[order].totals[context], 1), 0.0)
        nodes.append((seen, share))
        rows.append(contexts[order].kinds[context])
    found = np.full((ORDER + 1, _KINDS), 0.5)
    for _ in range(_ROUNDS):
        p, parts = np.full(len(targets), 1.0 / (int(text.max()) + 2)), []
        for order, (seen, share) in enumerate(nodes):
            w = np.where(seen, found[order, rows[order]], 1.0)
            parts.append(w * p)
            p = w * p + (1 - w) * share
            parts[-1] = parts[-1] / p
        owed = np.ones(len(targets))
        for order in range(ORDER, -1, -1):
            seen, _ = nodes[order]
            kept = np.bincount(rows[order][seen], weights=(owed * parts[order])[seen], minlength=_KINDS)
            all_ = np.bincount(rows[order][seen], weights=owed[seen], minlength=_KINDS)
            found[order] = (kept + 0.5) / (all_ + 1.0)
            owed = owed * parts[order]
    return found


@dataclass
class Kept:
    """The n-grams that are kept, by level: in the order of parent and symbol."""

    parent: Array
    symbol: Array
    share: Array
    """float64: what a context gives to the symbol itself; what all leave over is the lower order's."""


def pruned(text: Array, start: int, weights_: Array, most: int) -> list[Kept]:
    """At most about `most` n-grams of a text: those whose loss would cost the most bits."""
    made = levels(text, start, len(text))
    contexts = _contexts(made)
    lower = np.full(1, 1.0 / (int(text.max()) + 2))
    shares, gains = [], []
    for order, level in enumerate(made):
        w = weights_[order, contexts[order].kinds[level.parent]]
        share = (1 - w) * level.counts / np.maximum(contexts[order].totals[level.parent], 1)
        below = lower[level.suffix]
        p = w * below + share
        gains.append(level.counts * np.log2(p / below))
        shares.append(share)
        lower = p
    best = np.sort(np.concatenate(gains))[::-1]
    least = best[min(most, len(best) - 1)]
    keep = [gain > least for gain in gains]
    for order in range(ORDER, 0, -1):  # a path needs those that begin it
        keep[order - 1][np.unique(made[order].parent[keep[order]])] = True
    kept, number = [], np.zeros(1, np.int64)
    for order, level in enumerate(made):
        at = np.flatnonzero(keep[order])
        kept.append(Kept(number[level.parent[at]], level.symbol[at], shares[order][at]))
        number = np.full(len(level.counts), _NEVER, np.int64)
        number[at] = np.arange(len(at))
    return kept
