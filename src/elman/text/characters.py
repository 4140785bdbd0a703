"""The vocabularies of characters and of bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import given
from ..errors import InputError
from .normalisation import CHUNK, chunks
from .vocabulary import UNKNOWN, Vocabulary

_CODE_POINTS = 0x110000


def _code_points(text: str) -> Iterator[np.ndarray]:
    """uint32 code points of `text`, chunk by chunk."""
    return (np.frombuffer(part.encode("utf-32-le", "surrogatepass"), dtype="<u4") for part in chunks(text))


class Characters(Vocabulary):
    """Characters. Id 0 is <unk>, for every character that is not in the vocabulary.

    Raises:
        InputError: symbols that do not begin with <unk>, are no single characters, or occur twice.
    """

    kind, unit, reads_bytes, never_written = "chars", "character", False, (0,)

    def __init__(self, symbols: tuple[str, ...]) -> None:
        given.instance("symbols", symbols, (tuple, list), "a tuple of characters")
        if not symbols or symbols[0] != UNKNOWN:
            raise InputError(f"the first symbol of a vocabulary of characters is {UNKNOWN!r}")
        if any(not isinstance(s, str) or len(s) != 1 for s in symbols[1:]):
            raise InputError("the symbols of a vocabulary of characters are single characters")
        if len(set(symbols)) != len(symbols):
            raise InputError("a vocabulary lists a character twice")
        self.symbols = tuple(symbols)
        self._points = np.array([0xFFFD, *(ord(s) for s in symbols[1:])], dtype="<u4")
        self._ids = np.zeros(int(self._points.max()) + 1 if len(symbols) > 1 else 1, dtype=self.dtype)
        self._ids[self._points[1:]] = np.arange(1, len(symbols), dtype=self.dtype)

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(self, text: str | bytes) -> np.ndarray:
        if not isinstance(text, str):
            got = "bytes" if isinstance(text, bytes) else given.shown(text)
            raise InputError(f"a vocabulary of characters encodes str, got {got}; decode it, or train with bytes")
        ids = np.empty(len(text), dtype=self.dtype)
        start = 0
        for points in _code_points(text):
            part = ids[start : start + len(points)]
            np.take(self._ids, np.minimum(points, len(self._ids) - 1), out=part)
            part[points >= len(self._ids)] = 0
            start += len(points)
        return ids

    def decode(self, ids: np.ndarray) -> str:
        return self._points[self._ids_of(ids)].tobytes().decode("utf-32-le", "surrogatepass")

    def unknown(self, ids: np.ndarray) -> int:
        return len(ids) - sum(int(np.count_nonzero(ids[i : i + CHUNK])) for i in range(0, len(ids), CHUNK))

    def is_unknown(self, ids: np.ndarray) -> np.ndarray:
        return np.asarray(ids) == 0

    def name(self, id: int) -> str:
        return self.symbols[given.whole("id", id, 0, len(self))]

    def joined(self, other: Vocabulary) -> Characters:
        given.instance("other", other, Vocabulary, "a Vocabulary")
        if not isinstance(other, Characters):
            raise InputError(f"the model reads {self.kind}, and the text is {other.kind}; they cannot be joined")
        known = set(self.symbols)
        return Characters(self.symbols + tuple(symbol for symbol in other.symbols if symbol not in known))

    @classmethod
    def of_text(cls, text: str) -> Characters:
        """<unk>, then the characters of `text` by falling frequency, ties in character order."""
        given.instance("text", text, str, "a str")
        counts = np.zeros(_CODE_POINTS, dtype=np.int64)
        for points in _code_points(text):
            found = np.bincount(points)
            counts[: len(found)] += found
        points = np.flatnonzero(counts)
        order = points[np.argsort(-counts[points], kind="stable")]
        return cls((UNKNOWN, *map(chr, order)))

    @classmethod
    def _from_dict(cls, data: dict[str, Any]) -> Characters:
        return cls(tuple(data["symbols"]))


class Bytes(Vocabulary):
    """The 256 bytes, so nothing is unknown."""

    kind, unit, reads_bytes = "bytes", "byte", True

    def __len__(self) -> int:
        return 256

    def encode(self, text: str | bytes) -> np.ndarray:
        given.instance("text", text, (str, bytes, bytearray, memoryview), "a str or bytes")
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        return np.frombuffer(data, dtype=np.uint8)

    def decode(self, ids: np.ndarray) -> str:
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def decode_bytes(self, ids: np.ndarray) -> bytes:
        return self._ids_of(ids).astype(np.uint8).tobytes()

    def name(self, id: int) -> str:
        id = given.whole("id", id, 0, len(self))
        return chr(id) if id < 128 else str(bytes([id]))

    def joined(self, other: Vocabulary) -> Bytes:
        given.instance("other", other, Vocabulary, "a Vocabulary")
        if other != self:
            raise InputError(f"the model reads {self.kind}, and the text is {other.kind}; they cannot be joined")
        return self

    @classmethod
    def _from_dict(cls, data: dict[str, Any]) -> Bytes:
        if data["symbols"]:
            raise InputError("a vocabulary of bytes has fixed symbols")
        return cls()
