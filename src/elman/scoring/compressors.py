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
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from ..kernels.likelihood import log
from .totals import Totals

ORDER = 6
"""Characters of the longest n-grams."""
_PIECE = 1 << 16
BLOCK = 1 << 19
"""Characters of a longer text after which the n-gram model begins anew: it takes 60 bytes for each."""


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
    by_context, n_context = np.arange(size, dtype=number), np.arange(size, dtype=number)
    # The same for the k-gram that ends at them: sorting by its first character keeps the order of the rest, which is
    # how a radix sort goes on, so a pass over one character is all that each k costs.
    by_gram, gram, n_gram = by_context, np.zeros(size, dtype=number), np.zeros(size, dtype=number)
    for k in range(1, min(order, size) + 1):
        begin = k - 1  # positions before it have no such context
        by_gram = by_gram[by_gram >= begin]
        first = ids[by_gram - begin]
        sort = np.argsort(first, kind="stable")
        by_gram, first = by_gram[sort], first[sort]
        rest = gram[by_gram]
        is_first = np.concatenate(([True], (first[1:] != first[:-1]) | (rest[1:] != rest[:-1])))
        gram[by_gram] = np.cumsum(is_first, dtype=number)
        del sort, first, rest
        n_gram[by_gram] = _since_first(np.arange(len(by_gram), dtype=number), is_first)
        is_new = n_gram[by_context] == 0  # the first time that this character follows
        distinct = np.empty(size, dtype=number)
        distinct[by_context] = _since_first(np.cumsum(is_new, dtype=number) - is_new, n_context[by_context] == 0)
        for start in range(begin, size, _PIECE):
            some = slice(start, start + _PIECE)
            seen, lower = n_context[some] + distinct[some], p[some]
            p[some] = np.where(seen > 0, (n_gram[some] + distinct[some] * lower) / np.maximum(seen, 1), lower)
        by_context = by_gram[by_gram < size - 1] + 1
        n_context = np.concatenate((n_gram[:1] * 0, n_gram[:-1]))
    for begin in range(0, size, _PIECE):  # the logarithm's own arrays are many
        some = p[begin : begin + _PIECE]
        some[:] = -log(some * 2.0**30) / math.log(2)  # it takes its argument in 2^-30
    return p


def _since_first(values: np.ndarray, is_first: np.ndarray) -> np.ndarray:
    """Each value less the first in its run."""
    firsts = np.flatnonzero(is_first)
    return values - np.repeat(values[firsts], np.diff(firsts, append=len(values)))
