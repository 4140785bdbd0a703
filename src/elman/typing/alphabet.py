"""Alphabet: the symbols that a writer can choose."""

from __future__ import annotations

from ..errors import InputError
from ..text import Reading, normalise


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
