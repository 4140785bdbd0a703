"""Baselines for a text: gzip, bzip2 and xz, and an n-gram model; all adaptive, starting from nothing.

A general compressor has seen no training text, and neither has this n-gram model: it learns from the characters before
the one that it predicts. So the four say what the text itself gives away, and the model's advantage is what its
training brought. They are code lengths, the compressors' headers included.
"""

from __future__ import annotations

import bz2
import lzma
import math
import zlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from ..kernels.likelihood import ln
from .totals import Totals

ORDER = 6
"""Characters of the longest n-grams."""
_PIECE = 1 << 15
BLOCK = 1 << 19
"""Characters of a longer text after which the n-gram model begins anew: it takes 30 bytes for each."""


def baselines(data: str | bytes, ids: np.ndarray, vocab_size: int) -> dict[str, float]:
    """Bits for the whole text: gzip (-9), bzip2 (-9) and xz (-6) of its UTF-8 bytes, and `ngram_bits`."""
    with Baselines(vocab_size) as found:
        found.add(data, ids)
        return found.bits()


class Baselines:
    """The baselines of a text that comes in pieces; a context that ends its threads."""

    def __init__(self, vocab_size: int) -> None:
        self._packers: dict[str, Any] = {
            "gzip": zlib.compressobj(9, zlib.DEFLATED, 31),
            "bzip2": bz2.BZ2Compressor(),
            "xz": lzma.LZMACompressor(),
        }
        self._sizes, self._pending = dict.fromkeys(self._packers, 0), dict[str, Future[bytes]]()
        self._vocab_size, self._ids, self._ngram = vocab_size, list[np.ndarray](), Totals()
        self._pool = ThreadPoolExecutor(len(self._packers))

    def __enter__(self) -> Baselines:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def add(self, data: str | bytes, ids: np.ndarray) -> None:
        """The next piece, and its characters' (or bytes') ids."""
        raw = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
        self._wait()
        self._pending = {name: self._pool.submit(packer.compress, raw) for name, packer in self._packers.items()}
        self._ids.append(ids)
        while sum(map(len, self._ids)) >= BLOCK:
            held = np.concatenate(self._ids)
            self._ngram.add_bits(ngram_bits(held[:BLOCK], self._vocab_size))
            self._ids = [held[BLOCK:]]

    def bits(self) -> dict[str, float]:
        """Results for the whole text; nothing can be added afterwards."""
        self._wait()
        if any(map(len, self._ids)):
            self._ngram.add_bits(ngram_bits(np.concatenate(self._ids), self._vocab_size))
        sizes = {name: self._sizes[name] + len(packer.flush()) for name, packer in self._packers.items()}
        return {name: 8.0 * size for name, size in sizes.items()} | {f"{ORDER}-gram": self._ngram.bits}

    def _wait(self) -> None:
        for name, future in self._pending.items():
            self._sizes[name] += len(future.result())


def ngram_bits(ids: np.ndarray, vocab_size: int, order: int = ORDER) -> np.ndarray:
    """float64 (T,): -log2 p(ids[t] | ids[:t]) under an adaptive n-gram model, interpolated as Witten and Bell did.

    p_0 = 1/V, and for contexts h of k - 1 characters, k = 1 .. order:
    p_k(c | h) = (n(h c) + d(h) p_{k-1}(c)) / (n(h) + d(h)), where n counts what stands before t, and d(h) is how many
    distinct characters followed h there; p_k = p_{k-1} where h is new.

    Source: Witten and Bell, "The zero-frequency problem" (1991), method C.
    """
    size, p = len(ids), np.full(len(ids), 1.0 / vocab_size)
    number = np.int32 if size < 2**31 else np.int64  # half the memory, which is most of the cost
    # Positions in the order of the (k-1)-gram before them, and how often it occurred before; ties in order of time.
    by_context = np.arange(size, dtype=number)
    n_context = by_context
    # The same for the k-gram that ends at them: sorting by its first character keeps the order of the rest, which is
    # how a radix sort goes on, so a pass over one character is all that each k costs.
    by_gram, gram = by_context, np.zeros(size, dtype=number)
    for k in range(1, min(order, size) + 1):
        by_gram = _by_character(by_gram, ids, k - 1)  # positions before k - 1 have no such context
        counts = np.zeros(size + 1, dtype=number)
        n_gram = counts[1:]
        _count(by_gram, ids, k - 1, gram, n_gram)
        _interpolate(p, by_context, n_context, n_gram)
        del by_context
        by_context, n_context = by_gram[by_gram < size - 1], counts[:-1]
        by_context += 1
    for some in _pieces(p):  # the logarithm's own arrays are many
        some[:] = -ln(some) / math.log(2)
    return p


def _pieces(values: np.ndarray) -> Iterator[np.ndarray]:
    """Views, one after another: the arrays that a computation needs are then small beside the whole."""
    return (values[begin : begin + _PIECE] for begin in range(0, len(values), _PIECE))


def _positions(values: np.ndarray) -> Iterator[np.ndarray]:
    """`_pieces` as NumPy takes indices, once for all uses."""
    return (some.astype(np.intp) for some in _pieces(values))


def _by_character(positions: np.ndarray, ids: np.ndarray, back: int) -> np.ndarray:
    """The positions from `back` on, sorted by the character `back` before each; ties stay in their order."""
    found = np.empty(len(ids) - back, dtype=positions.dtype)
    sizes = sum(np.bincount(some, minlength=int(ids.max()) + 1) for some in _pieces(ids[: len(found)]))
    ends = np.cumsum(sizes) - sizes  # so far, of the part of `found` that each character has
    for some in _positions(positions):
        some = some[some >= back]
        first = ids[some - back]
        sort = np.argsort(first, kind="stable")
        some, first = some[sort], first[sort]
        begins = np.flatnonzero(np.append(True, first[1:] != first[:-1])[: len(first)])
        lengths = np.diff(begins, append=len(first))
        found[np.arange(len(first)) + np.repeat(ends[first[begins]] - begins, lengths)] = some
        ends[first[begins]] += lengths
    return found


def _count(by_gram: np.ndarray, ids: np.ndarray, back: int, gram: np.ndarray, n_gram: np.ndarray) -> None:
    """Set n_gram[t] to how often the gram that ends at t occurred before, and gram[t], which numbers the gram without
    its first character, to the number of the whole."""
    at, start, number, before = 0, 0, 0, (-1, -1)
    for some in _positions(by_gram):
        first, rest = ids[some - back], gram[some]
        is_first = np.empty(len(some), dtype=bool)
        is_first[0] = (first[0], rest[0]) != before
        is_first[1:] = (first[1:] != first[:-1]) | (rest[1:] != rest[:-1])
        numbers = number + np.cumsum(is_first, dtype=gram.dtype)
        gram[some] = numbers
        n_gram[some], start = _since_first(np.arange(at, at + len(some), dtype=gram.dtype), is_first, start)
        at, number, before = at + len(some), int(numbers[-1]), (first[-1], rest[-1])


def _interpolate(p: np.ndarray, by_context: np.ndarray, n_context: np.ndarray, n_gram: np.ndarray) -> None:
    """Turn p_{k-1} into p_k, in place."""
    sum_new, start = 0, 0
    for some in _positions(by_context):
        context, counts, lower = n_context[some], n_gram[some], p[some]
        is_new = counts == 0  # the first time that this character follows
        after = sum_new + np.cumsum(is_new, dtype=counts.dtype)
        distinct, start = _since_first(after - is_new, context == 0, start)
        sum_new = int(after[-1])
        seen = context + distinct
        p[some] = np.where(seen > 0, (counts + distinct * lower) / np.maximum(seen, 1), lower)


def _since_first(values: np.ndarray, is_first: np.ndarray, start: int) -> tuple[np.ndarray, int]:
    """Each of the values, which do not fall, less the first in its run; and the first in the last run. start: the first
    in the run that goes on."""
    starts = np.maximum.accumulate(np.where(is_first, values, start))
    return values - starts, int(starts[-1])
