"""Tokens: a vocabulary as byte strings in order, in which those that begin alike are a range."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from ..text import Reading

_HIGHEST = b"\xff" * 1025  # above every token, which has at most 1024 bytes
EVERY_BYTE = tuple(bytes([byte]) for byte in range(256))
"""The symbols whose distribution is of the next byte."""


class Tokens:
    """The tokens that a text can have, as bytes in order. <unk>, and tokens that no text has, are left out.

    Args:
        symbols: what may come next, as bytes: the characters of an alphabet, or `EVERY_BYTE`.
    """

    def __init__(self, reading: Reading, symbols: Sequence[bytes]) -> None:
        vocabulary, self._symbols = reading.vocabulary, symbols
        if vocabulary.reads_bytes:
            strings = {id: vocabulary.decode_bytes(np.array([id])) for id in range(len(vocabulary))}
        else:
            strings = {id: symbol.encode("utf-8", "surrogatepass") for id, symbol in enumerate(vocabulary.symbols)}
        for id in vocabulary.never_written:
            del strings[id]
        self.order = np.array(sorted(strings, key=strings.__getitem__), dtype=np.int64)
        """int64 (N,): ids in the order of their bytes."""
        self._strings = [strings[id] for id in self.order.tolist()]
        self._ids = {string: id for id, string in strings.items()}
        self._ranges: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}
        self.whole = not vocabulary.reads_bytes
        """Tokens are characters, so none ends within one."""

    def id(self, string: bytes) -> int | None:
        """The token that is exactly `string`."""
        return self._ids.get(string)

    def range(self, prefix: bytes) -> tuple[int, int]:
        """Start and end in `order` of the tokens that begin with `prefix`."""
        return bisect_left(self._strings, prefix), bisect_left(self._strings, prefix + _HIGHEST)

    def ranges(self, pending: bytes) -> tuple[np.ndarray, np.ndarray]:
        """int64 (A,) each: for every symbol the range of tokens that begin with `pending` and the symbol."""
        found = self._ranges.get(pending)
        if found is None:
            both = np.array([self.range(pending + symbol) for symbol in self._symbols], dtype=np.int64)
            found = self._ranges[pending] = both[:, 0], both[:, 1]
        return found

    @cached_property
    def long(self) -> dict[bytes, list[tuple[int, bytes]]]:
        """The symbols of several bytes, within which a token of bytes can end, and their places; by the first byte."""
        found: dict[bytes, list[tuple[int, bytes]]] = {}
        for place, symbol in enumerate(self._symbols):
            if len(symbol) > 1 and not self.whole:
                found.setdefault(symbol[:1], []).append((place, symbol))
        return found
