"""What others make of the same text: gzip, bzip2 and xz, and an n-gram model; all adaptive, starting from nothing.

A general compressor has seen no training text, and neither has this n-gram model: it learns from the characters before
the one that it predicts. So the four say what the text itself gives away, and the model's advantage is what its
training brought. They are code lengths, the compressors' headers included.
"""

from __future__ import annotations

import bz2
import lzma
import math
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

ORDER = 6
"""Characters of the longest n-grams."""


def baselines(data: str | bytes, ids: np.ndarray, vocab_size: int) -> dict[str, float]:
    """Bits for the whole text: gzip (-9), bzip2 (-9) and xz (-6) of its UTF-8 bytes, and `ngram_bits`."""
    raw = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")

    def gzip(raw: bytes) -> bytes:
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        return packer.compress(raw) + packer.flush()

    calls: dict[str, Any] = {"gzip": gzip, "bzip2": bz2.compress, "xz": lzma.compress}
    with ThreadPoolExecutor() as pool:
        packed = {name: pool.submit(call, raw) for name, call in calls.items()}
        ngram = math.fsum(ngram_bits(ids, vocab_size))
        return {name: 8.0 * len(future.result()) for name, future in packed.items()} | {f"{ORDER}-gram": ngram}


def ngram_bits(ids: np.ndarray, vocab_size: int, order: int = ORDER) -> np.ndarray:
    """float64 (T,): -log2 p(ids[t] | ids[:t]) under an adaptive n-gram model, interpolated as Witten and Bell did.

    p_0 = 1/V, and for contexts h of k - 1 characters, k = 1 .. order:
    p_k(c | h) = (n(h c) + d(h) p_{k-1}(c)) / (n(h) + d(h)), where n counts what stands before t, and d(h) is how many
    distinct characters followed h there; p_k = p_{k-1} where h is new.

    Source: Witten and Bell, "The zero-frequency problem" (1991), method C.
    """
    ids = ids.astype(np.int64)
    p = np.full(len(ids), 1.0 / vocab_size)
    context = np.zeros(len(ids), dtype=np.int64)  # which of all contexts of this length stands before t
    for k in range(1, order + 1):
        begin = k - 1  # positions before it have no such context
        h = context[begin:]
        gram = _number(h * vocab_size + ids[begin:])
        by_context, n_context = _earlier(h)
        n_gram = _earlier(gram)[1]
        is_new = (n_gram == 0)[by_context].astype(np.int64)  # the first time that this character follows
        run = np.cumsum(is_new) - is_new
        distinct = np.empty_like(run)
        distinct[by_context] = run - np.repeat(run[_firsts(h[by_context])], _runs(h[by_context]))
        seen = n_context + distinct
        lower = p[begin:]
        p[begin:] = np.where(seen > 0, (n_gram + distinct * lower) / np.maximum(seen, 1), lower)
        context = np.concatenate((np.zeros(begin + 1, dtype=np.int64), gram[:-1]))
    return -np.log2(p)


def _number(keys: np.ndarray) -> np.ndarray:
    """Equal keys -> equal numbers from 0."""
    return np.unique(keys, return_inverse=True)[1]


def _earlier(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A stable order that sorts `keys`, and how often each key stood before its place."""
    order = np.argsort(keys, kind="stable")
    grouped = keys[order]
    counts = np.empty(len(keys), dtype=np.int64)
    counts[order] = np.arange(len(keys)) - np.repeat(_firsts(grouped), _runs(grouped))
    return order, counts


def _firsts(grouped: np.ndarray) -> np.ndarray:
    """Where each run of equal values begins."""
    return np.flatnonzero(np.diff(grouped, prepend=-1))


def _runs(grouped: np.ndarray) -> np.ndarray:
    """How long each run of equal values is."""
    return np.diff(_firsts(grouped), append=len(grouped))
