"""Matching: the longest strings that a text shares with a corpus, and texts that show how long chance makes them.

At every position of the text the measure is the longest string that begins there and stands somewhere in the corpus.
All of them take one suffix sort in NumPy: a megabyte in a megabyte is a second's work.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .. import philox


@dataclass(frozen=True)
class Overlap:
    """A substring of both texts."""

    start: int
    """Its position in the text."""
    place: int
    """Its position in the corpus; one of them, if it occurs more than once."""
    length: int


@dataclass(frozen=True, eq=False)
class Matches:
    """The longest string that begins at each position of a text and occurs in the corpus."""

    lengths: np.ndarray
    """int64 (T,); 0 where the corpus lacks the character."""
    places: np.ndarray
    """int64 (T,), where one such string begins in the corpus."""

    def longest(self, count: int) -> list[Overlap]:
        """The longest overlaps that do not share a character of the text, longest first; ties go to the first."""
        found: list[Overlap] = []
        taken = np.zeros(len(self.lengths) + 1, dtype=bool)
        begins = np.flatnonzero(np.diff(self.lengths, prepend=0) >= 0)  # elsewhere it is the tail of one before it
        for start in begins[np.argsort(-self.lengths[begins], kind="stable")]:
            length = int(self.lengths[start])
            if len(found) == count or not length:
                break
            if not taken[start : start + length].any():
                taken[start : start + length] = True
                found.append(Overlap(int(start), int(self.places[start]), length))
        return found

    def covered(self, minimum: int) -> float:
        """The share of the text's characters that are in an overlap of at least `minimum`."""
        starts = np.flatnonzero(self.lengths >= max(1, minimum))
        steps = np.zeros(len(self.lengths) + 1, dtype=np.int64)
        np.add.at(steps, starts, 1)
        np.add.at(steps, starts + self.lengths[starts], -1)
        return float(np.mean(np.cumsum(steps[:-1]) > 0))

    def at_least(self) -> np.ndarray:
        """float64 (longest + 1,): entry L is the share of positions whose longest string has at least L characters."""
        counts = np.bincount(self.lengths)
        return np.cumsum(counts[::-1])[::-1] / len(self.lengths)


def longest_matches(texts: Sequence[np.ndarray], corpus: np.ndarray) -> list[Matches]:
    """The longest matches of each of the texts (T,) in the corpus (N,), in O(n log n) for n symbols in all.

    `keys[j]` numbers the strings of 2^j symbols at every position, equal strings alike and in lexicographic order, from
    numbers of half the length (Karp, Miller and Rosenberg, 1972), until no text shares a number with the corpus. Then
    the corpus's neighbours of a position in that order are those that share most with it (Manber and Myers, 1990), and
    how much is read off the keys, longest first.
    """
    pieces = [corpus.astype(np.int64) + 2, [1]]  # 1 ends the corpus and 0 a text: they match nothing
    for text in texts:
        pieces += [text.astype(np.int64) + 2, [0]]
    key, size = np.concatenate(pieces), len(corpus)
    keys, width = [key], int(key.max()).bit_length()
    while True:
        if 2 * width > 62:
            key = keys[-1] = _ranks(key)
            width = int(key.max()).bit_length()
            shared = np.zeros(int(key.max()) + 1, dtype=bool)
            shared[key[:size]] = True
            if not shared[key[size + 1 :]].any():
                break
        step = 1 << (len(keys) - 1)
        key = key << width
        key[:-step] |= keys[-1][step:]
        keys.append(key)
        width *= 2
    order = np.argsort(key[:size], kind="stable")
    after = np.searchsorted(key[:size], key[size + 1 :], sorter=order)
    here = np.arange(size + 1, len(key))
    sides = [order[np.clip(after - side, 0, size - 1)] for side in (0, 1)]
    lengths = [_common(keys, here, side) for side in sides]
    longest = np.maximum(*lengths)
    places = np.where(lengths[1] > lengths[0], sides[1], sides[0])
    found, begin = [], 0
    for text in texts:
        rows = slice(begin, begin + len(text))
        found.append(Matches(longest[rows], places[rows]))
        begin += len(text) + 1
    return found


def _ranks(key: np.ndarray) -> np.ndarray:
    """1, 2, ... in the order of the keys, equal ones alike; 0 is left for what is beyond the end."""
    order = np.argsort(key)
    ranks = np.empty_like(key)
    ranks[order] = np.cumsum(np.diff(key[order], prepend=-1) != 0)
    return ranks


def _common(keys: Sequence[np.ndarray], a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """How many symbols the strings that begin at a (R,) share with those at b (R,)."""
    length = np.zeros(len(a), dtype=np.int64)
    for level in range(len(keys) - 1, -1, -1):
        length += (keys[level][a + length] == keys[level][b + length]).astype(np.int64) << level
    return length


def ngram_text(corpus: np.ndarray, length: int, order: int, seed: int) -> np.ndarray:
    """ids (length,) of an n-gram model of the corpus (N,), without smoothing: after each order - 1 symbols comes what
    follows one of their places in the corpus, all alike. The corpus is taken as a ring, so something always does.
    """
    context = np.zeros(len(corpus), dtype=np.int64)
    for back in range(order - 1, 0, -1):
        context = _ranks(context << 32 | np.roll(corpus, back).astype(np.int64))
    places = np.argsort(context, kind="stable")
    counts = np.bincount(context)
    firsts = (np.cumsum(counts) - counts)[context].tolist()
    counts, places, size = counts[context].tolist(), places.tolist(), len(corpus)
    draws = philox.unit(philox.words(seed, philox.COMPARISON, length + 1)).tolist()
    here, taken = int(draws[0] * size), []
    for u in draws[1:]:
        here = places[firsts[here] + int(u * counts[here])]
        taken.append(here)
        here = (here + 1) % size
    return corpus[taken]


def expected_longest(corpus: np.ndarray, length: int) -> float:
    """About how long the longest string is that `length` random symbols share with the corpus's, in random order too:
    log(N length) / log(1 / p), where p is the probability that two of the symbols are equal.

    Source: Arratia and Waterman, "Critical phenomena in sequence matching" (1985).
    """
    shares = np.bincount(corpus) / len(corpus)
    p = float((shares**2).sum())
    return math.inf if p == 1 else math.log(len(corpus) * length) / -math.log(p)
