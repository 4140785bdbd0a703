"""Counts: n-grams of a text, the weights of their contexts, and which of them are the most useful.

A context gives shares of the probability to the tokens that followed it, and leaves the rest to the next shorter one,
down to all tokens alike:

    p_k(token) = (1 - sum of shares) p_{k-1}(token) + share(token)

Only sums, products and quotients decide what is kept, so the bits are the same on every machine.

Source: Jelinek and Mercer (1980); pruning after Seymore and Rosenfeld, "Scalable backoff language models" (1996).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..kernels import Array
from ..kernels.likelihood import ln

_KINDS = 16 * 8  # of contexts of one order: by how often and with how many tokens they were seen
_ROUNDS = 12  # of expectation-maximisation
_NEVER = -1  # the node of a path that crosses the begin of a line
_PIECE = 1 << 16
_ROOTS = (
    1.0, 0.917004043204671, 0.840896415253715, 0.771105412703970,
    0.707106781186547, 0.648419777325505, 0.594603557501360, 0.545253866332629,
)  # fmt: skip
SHARES = np.array([_ROOTS[x % 8] / 2.0 ** (x // 8) for x in range(256)])
"""float64 (256,): the share that each byte of a file stands for. The roots of 1/2 are literals: computed ones could
differ between machines."""


@dataclass
class Level:
    """All paths of one length in a text: node numbers are in the order of parent and token."""

    of: Array
    """int64 (N,): the node of the path that begins at each token of the text; `_NEVER` where there is none."""
    parent: Array
    """int64 (nodes,): of the level before."""
    symbol: Array
    """int64 (nodes,)."""
    suffix: Array
    """int64 (nodes,): the node of the level before of the path without its first token."""
    counts: Array
    """int64 (nodes,): how often, among the tokens that count."""


def levels(text: Array, longest: int, start: int, counted: int) -> list[Level]:
    """The paths of a text, of 1 .. `longest` tokens.

    Args:
        text: int64 (N,): tokens. `start` ends a line; it can be the first or the last of a path, and no other. -1:
            paths go on through lines.
        counted: of the last tokens of paths, the first so many of the text count.
    """
    N, width = len(text), int(text.max()) + 1
    before, inner = np.zeros(N, np.int64), np.ones(N, bool)  # `inner`: may be gone on with
    made: list[Level] = []
    for length in range(1, longest + 1):
        last = np.full(N, start, np.int64)
        last[: N - length + 1] = text[length - 1 :]
        valid = inner & (np.arange(N) <= N - length) & (before != _NEVER)
        at = np.flatnonzero(valid)
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
    often = np.where(totals < 4, totals, 2 + np.frexp(totals.astype(np.float64))[1])  # 3 + floor(log2) from 4 on
    return np.minimum(often, 15) * 8 + np.minimum(distinct, 7)


@dataclass
class _Contexts:
    totals: Array
    kinds: Array


def _contexts(made: Sequence[Level]) -> list[_Contexts]:
    """Totals of what followed each context, by order."""
    found = []
    for order, level in enumerate(made):
        size = len(made[order - 1].counts) if order else 1
        totals = np.bincount(level.parent, weights=level.counts, minlength=size).astype(np.int64)
        distinct = np.bincount(level.parent[level.counts > 0], minlength=size)
        found.append(_Contexts(totals, _kinds(totals, distinct)))
    return found


def weights(made: Sequence[Level], counted: int, alternatives: int) -> Array:
    """float64 (longest, kinds): the share of the lower order in a context, learned from the tokens that do not count.

    Args:
        made: `levels`, of which the first `counted` tokens count. alternatives: tokens that there are.
    """
    contexts, targets = _contexts(made), np.arange(counted, len(made[0].of))
    nodes, rows = [], []
    for order, level in enumerate(made):
        node = level.of[targets - order]
        node = np.where(targets >= order, node, _NEVER)
        context = level.parent[node]
        seen = (node != _NEVER) & (contexts[order].totals[context] > 0)
        share = np.where(seen, level.counts[node] / np.maximum(contexts[order].totals[context], 1), 0.0)
        nodes.append((seen, share))
        rows.append(contexts[order].kinds[context])
    found = np.full((len(made), _KINDS), 0.5)
    for _ in range(_ROUNDS):
        p, parts = np.full(len(targets), 1.0 / alternatives), []
        for order, (seen, share) in enumerate(nodes):
            w = np.where(seen, found[order, rows[order]], 1.0)
            parts.append(w * p)
            p = w * p + (1 - w) * share
            parts[-1] = parts[-1] / p
        owed = np.ones(len(targets))
        for order in range(len(made) - 1, -1, -1):
            seen, _ = nodes[order]
            kept = np.bincount(rows[order][seen], weights=(owed * parts[order])[seen], minlength=_KINDS)
            all_ = np.bincount(rows[order][seen], weights=owed[seen], minlength=_KINDS)
            found[order] = (kept + 0.5) / (all_ + 1.0)
            owed = owed * parts[order]
    return found


@dataclass
class Kept:
    """The n-grams that are kept, by level: in the order of parent and token."""

    parent: Array
    symbol: Array
    share: Array
    """float64: what a context gives to the token itself; what all leave over is the lower order's."""

    @property
    def bytes(self) -> Array:
        """uint8: the shares as a file has them, in `SHARES`; none larger than it was."""
        return np.minimum(255, 256 - np.searchsorted(SHARES[::-1], self.share, "right")).astype(np.uint8)


def pruned(made: Sequence[Level], weights_: Array, most: int, alternatives: int, whole: bool = False) -> list[Kept]:
    """At most `most` of the n-grams that count: those whose loss would cost the most bits; and those that begin them,
    which come on top unless `whole` counts them too."""
    contexts = _contexts(made)
    lower = np.full(1, 1.0 / alternatives)
    shares, gains = [], []
    for order, level in enumerate(made):
        w = weights_[order, contexts[order].kinds[level.parent]]
        share = (1 - w) * level.counts / np.maximum(contexts[order].totals[level.parent], 1)
        below = lower[level.suffix]
        p = w * below + share
        gains.append(level.counts * _ln(p / below))
        shares.append(share)
        lower = p
    best, wanted = np.sort(np.concatenate(gains))[::-1], most
    keep = _above(best, wanted, gains, made)
    while whole and (total := sum(int(each.sum()) for each in keep)) > most:
        wanted = wanted * most // total
        keep = _above(best, wanted, gains, made)
    kept, number = [], np.zeros(1, np.int64)
    for order, level in enumerate(made):
        at = np.flatnonzero(keep[order])
        kept.append(Kept(number[level.parent[at]], level.symbol[at], shares[order][at]))
        number = np.full(len(level.counts), _NEVER, np.int64)
        number[at] = np.arange(len(at))
    return kept


def _above(best: Array, wanted: int, gains: Sequence[Array], made: Sequence[Level]) -> list[Array]:
    """Which of each level are among the best that are wanted, or begin one of them."""
    least = best[min(wanted, len(best) - 1)]
    keep = [(gain > least) & (level.counts > 0) for gain, level in zip(gains, made, strict=True)]
    for order in range(len(made) - 1, 0, -1):  # a path needs those that begin it
        keep[order - 1][np.unique(made[order].parent[keep[order]])] = True
    return keep


def _ln(x: Array) -> Array:
    """ln, with the same bits everywhere, a piece at a time: its own arrays are many."""
    found = np.empty(len(x))
    for begin in range(0, len(x), _PIECE):
        found[begin : begin + _PIECE] = ln(x[begin : begin + _PIECE])
    return found
