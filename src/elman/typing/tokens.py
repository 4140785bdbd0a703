"""Tokens: a vocabulary as byte strings in order, in which those that begin alike are a range."""

from __future__ import annotations

from bisect import bisect_left
from functools import cached_property

import numpy as np

from ..errors import InputError
from ..text import Reading, normalise

_HIGHEST = b"\xff" * 1025  # above every token, which has at most 1024 bytes


class Alphabet:
    """The symbols that a writer can choose, each one character.

    Args:
        symbols: at least two, each once. A line end is one that ends a line.
    Raises:
        InputError: too few, one that is there twice, or one that the model would read as another.
    """

    def __init__(self, symbols: str, reading: Reading) -> None:
        if not isinstance(symbols, str) or len(symbols) < 2:
            raise InputError(f"the alphabet is {symbols!r}; expected a str of at least two characters")
        if len(set(symbols)) != len(symbols):
            twice = next(symbol for symbol in symbols if symbols.count(symbol) > 1)
            raise InputError(f"the alphabet has {twice!r} twice")
        for symbol in symbols:
            if (read := normalise(symbol, reading.normalisation)) != symbol:
                raise InputError(f"the model reads {symbol!r} as {read!r}; leave it out of the alphabet")
            try:
                symbol.encode()
            except UnicodeEncodeError:
                raise InputError(f"the alphabet has {symbol!r}, half of a character") from None
        self.symbols = symbols
        self.places = {symbol: place for place, symbol in enumerate(symbols)}
        self.bytes = [symbol.encode() for symbol in symbols]

    def __len__(self) -> int:
        return len(self.symbols)


class Tokens:
    """The tokens that a text can have, as bytes in order. <unk>, and tokens that no text has, are left out."""

    def __init__(self, reading: Reading, alphabet: Alphabet) -> None:
        vocabulary, self._alphabet = reading.vocabulary, alphabet
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
            both = np.array([self.range(pending + symbol) for symbol in self._alphabet.bytes], dtype=np.int64)
            found = self._ranges[pending] = both[:, 0], both[:, 1]
        return found

    @cached_property
    def long(self) -> dict[bytes, list[tuple[int, bytes]]]:
        """The symbols of several bytes, within which a token of bytes can end, and their places; by the first byte."""
        found: dict[bytes, list[tuple[int, bytes]]] = {}
        for place, symbol in enumerate(self._alphabet.bytes):
            if len(symbol) > 1 and not self.whole:
                found.setdefault(symbol[:1], []).append((place, symbol))
        return found
