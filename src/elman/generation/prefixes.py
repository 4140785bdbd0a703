"""Prefixes: states after prompts that were read, so a prompt that begins alike is not read again."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from ..kernels import State

EVERY = 256
"""States are kept after every so many ids, up to `FAR`, and after the last."""
FAR = 1 << 14
_NEAR = 512  # a prompt is looked for at its own length and at so many below it, and at every `EVERY`th place


@dataclass(frozen=True, eq=False)
class _Known:
    ids: np.ndarray
    state: State
    logits: np.ndarray
    size: int


class Prefixes:
    """The states that were used last, bounded in bytes.

    A prefix is found by a hash under a secret key and compared id by id, so no prompt can be taken for another.
    """

    def __init__(self, most: int) -> None:
        self._most, self._size = most, 0
        self._known: OrderedDict[tuple[int, int], _Known] = OrderedDict()
        self._factor = np.uint64(secrets.randbits(64) | 1)
        self.queries = self.hits = 0
        """Symbols of prompts that were looked for and found."""

    def longest(self, ids: np.ndarray) -> tuple[int, State, np.ndarray] | None:
        """How many of `ids` the longest known prefix has, the state after it, and the logits; copies."""
        self.queries += len(ids)
        if not self._known:
            return None
        hashes = self._hashes(ids)
        near = range(len(ids), max(0, len(ids) - _NEAR), -1)
        far = range(min(FAR, max(0, len(ids) - _NEAR) // EVERY * EVERY), 0, -EVERY)
        for length in (*near, *far):
            key = length, int(hashes[length - 1])
            known = self._known.get(key)
            if known is not None and np.array_equal(known.ids, ids[:length]):
                self._known.move_to_end(key)
                self.hits += length
                return length, tuple(np.array(part) for part in known.state), np.array(known.logits)
        return None

    def put(self, ids: np.ndarray, state: State, logits: np.ndarray) -> None:
        """ids (T,), T at least 1, and what comes after them: a state of one row and float32 (1, V)."""
        key = len(ids), int(self._hashes(ids)[-1])
        size = ids.nbytes + logits.nbytes + sum(part.nbytes for part in state) + 500
        if size > self._most or key in self._known:
            return
        copies = np.array(ids), tuple(np.array(part) for part in state), np.array(logits)
        self._known[key] = _Known(*copies, size)
        self._size += size
        while self._size > self._most:
            self._size -= self._known.popitem(last=False)[1].size

    def _hashes(self, ids: np.ndarray) -> np.ndarray:
        """uint64 (T,): of each prefix."""
        powers = np.cumprod(np.full(len(ids), self._factor, dtype=np.uint64))
        return np.cumsum((ids.astype(np.uint64) + np.uint64(1)) * powers)
