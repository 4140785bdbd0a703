"""Text to ids and back: normalisation, and the Vocabulary of characters or bytes. Vectorised, without torch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..errors import InputError

NORMALISATIONS = ("book", "none")
_CHUNK = 1 << 20  # characters worked on at a time, so that 50 MB of text costs no multiple of itself
_CODE_POINTS = 0x110000
_WHITE_SPACE = re.compile(r"\s+")
UNKNOWN = "<unk>"


def normalise(text: str, how: str) -> str:
    """Text as a model sees it.

    Args:
        how: "book" lower-cases and turns every run of white space into one space; "none" changes nothing.
    Raises:
        ValueError: another `how`.
    """
    if how == "none":
        return text
    if how != "book":
        raise InputError(f"normalisation must be one of {', '.join(NORMALISATIONS)}; got {how!r}")
    return "".join(normalised_parts([text], how))


def normalised_parts(texts: Iterable[str], how: str) -> Iterator[str]:
    """`normalise` of a text that comes in parts, wherever it is cut; in parts."""
    space = False  # whether what was yielded ends with one
    for text in texts if how == "none" else _chunks(texts):
        part = text
        if how == "book":
            part = _WHITE_SPACE.sub(" ", text.lower())
            if space and part.startswith(" "):
                part = part[1:]  # a run of white space across the border
        if part:
            space = part.endswith(" ")
            yield part


def _chunks(texts: Iterable[str]) -> Iterator[str]:
    """The same text in parts of about `_CHUNK` characters, which cut no word."""
    rest = ""
    for text in texts:
        text, start = rest + text if rest else text, 0
        while len(text) - start > _CHUNK:
            end = word_border(text, start + _CHUNK)
            if end == len(text):
                break  # the word may go on in the next part
            yield text[start:end]
            start = end
        rest = text[start:]
    if rest:
        yield rest


def word_border(text: str, place: int) -> int:
    """The first place from `place` on where no word is cut: the small form of a capital may depend on all of its word,
    as that of the Greek sigma does."""
    found = _WHITE_SPACE.search(text, place)
    return found.start() if found else len(text)


def _code_points(text: str) -> Iterator[np.ndarray]:
    """uint32 code points of `text`, chunk by chunk."""
    for start in range(0, len(text), _CHUNK):
        yield np.frombuffer(text[start : start + _CHUNK].encode("utf-32-le", "surrogatepass"), dtype="<u4")


class Vocabulary:
    """The tokens of a model: characters, or bytes.

    `chars`: id 0 is <unk>, which stands for every character that the vocabulary lacks. `bytes`: the 256 bytes, so
    that nothing is unknown.
    """

    def __init__(self, kind: str, symbols: tuple[str, ...] = ()) -> None:
        if kind not in ("chars", "bytes"):
            raise InputError(f"a vocabulary is of kind 'chars' or 'bytes'; got {kind!r}")
        if kind == "bytes" and symbols:
            raise InputError("a vocabulary of bytes has no symbols of its own")
        if kind == "chars":
            if not symbols or symbols[0] != UNKNOWN:
                raise InputError(f"the first symbol of a vocabulary of characters is {UNKNOWN!r}")
            if any(not isinstance(s, str) or len(s) != 1 for s in symbols[1:]):
                raise InputError("the symbols of a vocabulary of characters are single characters")
            if len(set(symbols)) != len(symbols):
                raise InputError("a vocabulary lists a character twice")
        self.kind, self.symbols = kind, tuple(symbols)
        self._dtype = np.uint8 if len(self) <= 1 << 8 else np.uint16 if len(self) <= 1 << 16 else np.uint32
        if kind == "chars":
            self._points = np.array([0xFFFD, *(ord(s) for s in symbols[1:])], dtype="<u4")
            self._ids = np.zeros(int(self._points.max()) + 1 if len(symbols) > 1 else 1, dtype=self._dtype)
            self._ids[self._points[1:]] = np.arange(1, len(symbols), dtype=self._dtype)

    @classmethod
    def from_text(cls, text: str) -> Vocabulary:
        """<unk>, then the characters of `text` by falling frequency, ties in character order."""
        counts = np.zeros(_CODE_POINTS, dtype=np.int64)
        for points in _code_points(text):
            found = np.bincount(points)
            counts[: len(found)] += found
        points = np.flatnonzero(counts)
        order = points[np.argsort(-counts[points], kind="stable")]
        return cls("chars", (UNKNOWN, *map(chr, order)))

    @classmethod
    def bytes(cls) -> Vocabulary:
        """The 256 bytes: any file, no <unk>."""
        return cls("bytes")

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of ids: the smallest unsigned type that has them all."""
        return np.dtype(self._dtype)

    def __len__(self) -> int:
        return 256 if self.kind == "bytes" else len(self.symbols)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and (self.kind, self.symbols) == (other.kind, other.symbols)

    def __hash__(self) -> int:
        return hash((self.kind, self.symbols))

    def __repr__(self) -> str:
        return f"Vocabulary({self.kind}, {len(self)} entries)"

    def encode(self, text: str | bytes) -> np.ndarray:
        """ids (T,) in the smallest unsigned type. A str is taken as UTF-8 by a vocabulary of bytes.

        Raises:
            TypeError: bytes for a vocabulary of characters.
        """
        if self.kind == "bytes":
            data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
            return np.frombuffer(data, dtype=np.uint8)
        if not isinstance(text, str):
            raise TypeError("a vocabulary of characters encodes str, got bytes; decode it, or train with bytes")
        ids = np.empty(len(text), dtype=self._dtype)
        start = 0
        for points in _code_points(text):
            part = ids[start : start + len(points)]
            np.take(self._ids, np.minimum(points, len(self._ids) - 1), out=part)
            part[points >= len(self._ids)] = 0
            start += len(points)
        return ids

    def decode(self, ids: np.ndarray) -> str:
        """The text of ids (T,). <unk> becomes U+FFFD, one character; bytes that are not UTF-8 likewise."""
        ids = np.asarray(ids)
        if self.kind == "bytes":
            return self.decode_bytes(ids).decode("utf-8", "replace")
        return self._points[ids].tobytes().decode("utf-32-le", "surrogatepass")

    def decode_bytes(self, ids: np.ndarray) -> bytes:
        """The bytes of ids (T,) of a vocabulary of bytes."""
        assert self.kind == "bytes"
        return np.asarray(ids).astype(np.uint8).tobytes()

    def unknown(self, ids: np.ndarray) -> int:
        """How many of `ids` stand for a character that the vocabulary lacks."""
        if self.kind == "bytes":
            return 0
        return len(ids) - sum(int(np.count_nonzero(ids[i : i + _CHUNK])) for i in range(0, len(ids), _CHUNK))

    def to_dict(self) -> dict[str, Any]:
        """For JSON; the inverse of `from_dict`."""
        return {"kind": self.kind, "symbols": list(self.symbols)}

    @classmethod
    def from_dict(cls, data: Any) -> Vocabulary:
        """Raises ValueError if `data` is not what `to_dict` gives."""
        if not isinstance(data, dict) or not isinstance(data.get("symbols"), list):
            raise InputError("a vocabulary is an object with 'kind' and 'symbols'")
        if not all(isinstance(s, str) for s in data["symbols"]):
            raise InputError("the symbols of a vocabulary are strings")
        return cls(str(data.get("kind")), tuple(data["symbols"]))
