"""Training subwords: the merges of a byte-level BPE, found in a text.

Source: Sennrich et al. (2016), with the pairs counted as merges change them.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise

from .subwords import Subwords, word_lists

Pair = tuple[int, int]


def train_subwords(texts: Iterable[str | bytes], size: int) -> Subwords:
    """The BPE of at most `size` entries whose merges are, one after another, the commonest pair within words of the
    texts; ties: lowest ids first."""
    counts: Counter[str] = Counter()
    for words in word_lists(texts):
        counts.update(words)
    pairs = _Pairs(counts)
    tokens = [bytes([byte]) for byte in range(256)]
    ids, merges = {token: id for id, token in enumerate(tokens)}, []
    while len(tokens) < size and (pair := pairs.commonest()):
        token = tokens[pair[0]] + tokens[pair[1]]
        id = ids.setdefault(token, len(tokens))
        if id == len(tokens):
            tokens.append(token)
        merges.append(pair)
        pairs.merge(pair, id)
    return Subwords(merges)


class _Pairs:
    """The words of a text as ids, and how often each pair of neighbours occurs in them.

    A line end is a word of one id, so it has no pair.
    """

    def __init__(self, counts: Counter[str]) -> None:
        self._words = [list(word.encode("utf-8", "surrogateescape")) for word in counts]
        self._times = list(counts.values())
        self._counts: Counter[Pair] = Counter()
        self._where: defaultdict[Pair, set[int]] = defaultdict(set)  # words that have the pair, or had it
        for number, (word, times) in enumerate(zip(self._words, self._times, strict=True)):
            for pair in pairwise(word):
                self._counts[pair] += times
                self._where[pair].add(number)
        self._heap = [(-count, pair) for pair, count in self._counts.items()]  # counts that may have fallen since
        heapq.heapify(self._heap)

    def commonest(self) -> Pair | None:
        """The commonest pair, of ties the one of the lowest ids; None: there is none."""
        while self._heap:
            count, pair = heapq.heappop(self._heap)
            now = self._counts[pair]
            if now and -count == now:
                return pair
            if 0 < now < -count:
                heapq.heappush(self._heap, (-now, pair))
        return None

    def merge(self, pair: Pair, id: int) -> None:
        """Replace the pair by `id` in every word, from the left."""
        more: set[Pair] = set()
        for number in self._where.pop(pair):
            word, times = self._words[number], self._times[number]
            for old in pairwise(word):
                self._counts[old] -= times
            self._words[number] = merged = _replaced(word, pair, id)
            for new in pairwise(merged):
                self._counts[new] += times
                if id in new:
                    self._where[new].add(number)
                    more.add(new)
        for new in more:
            heapq.heappush(self._heap, (-self._counts[new], new))


def _replaced(word: list[int], pair: Pair, id: int) -> list[int]:
    """The word with each occurrence of the pair replaced, from the left."""
    made, at, last = [], 0, len(word) - 1
    while at <= last:
        found = at < last and word[at] == pair[0] and word[at + 1] == pair[1]
        made.append(id if found else word[at])
        at += 2 if found else 1
    return made
