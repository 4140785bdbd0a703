"""Text to ids and back: normalisation, and the Vocabulary, here of characters or bytes. Vectorised, without torch."""

from __future__ import annotations

import codecs
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import numpy as np

from .. import given
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
        InputError: another `how`, or a text that is no str.
    """
    given.instance("text", text, str, "a str")
    if isinstance(how, str) and how == "none":
        return text
    if not isinstance(how, str) or how != "book":
        raise InputError(f"normalisation must be one of {', '.join(NORMALISATIONS)}; got {given.shown(how)}")
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
    """Cut a text into parts of about `_CHUNK` characters, between words."""
    held: list[str] = []  # parts of a word that may go on in the next one, put together once it has ended
    size = 0
    for text in texts:
        start = 0
        while size + len(text) - start > _CHUNK:
            end = word_border(text, start + max(0, _CHUNK - size))
            if end == len(text):
                break
            held.append(text[start:end])
            yield "".join(held)
            held, size, start = [], 0, end
        held.append(text[start:])
        size += len(text) - start
    if size:
        yield "".join(held)


def word_border(text: str, place: int) -> int:
    """The first place from `place` on where no word is cut: the small form of a capital may depend on all of its word,
    as that of the Greek sigma does."""
    found = _WHITE_SPACE.search(text, place)
    return found.start() if found else len(text)


def chunks(text: str) -> Iterator[str]:
    """`text` in parts of `_CHUNK` characters."""
    return (text[start : start + _CHUNK] for start in range(0, len(text), _CHUNK))


def _code_points(text: str) -> Iterator[np.ndarray]:
    """uint32 code points of `text`, chunk by chunk."""
    return (np.frombuffer(part.encode("utf-32-le", "surrogatepass"), dtype="<u4") for part in chunks(text))


class TextDecoder:
    """ids in, text out, as it comes: a token may end within a character, which is then held back."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary, self._utf8 = vocabulary, codecs.getincrementaldecoder("utf-8")("replace")

    def decode(self, ids: np.ndarray, final: bool = False) -> str:
        """The characters that are whole by now. final: half a character becomes U+FFFD."""
        if self._vocabulary.reads_bytes:
            return self._utf8.decode(self._vocabulary.decode_bytes(ids), final)
        return self._vocabulary.decode(ids)

    def getstate(self) -> tuple[bytes, int]:
        """The bytes held back, for `setstate`."""
        return self._utf8.getstate()

    def setstate(self, state: tuple[bytes, int]) -> None:
        self._utf8.setstate(state)


class Vocabulary(ABC):
    """The tokens of a model: `Characters`, `Bytes`, or `subwords.Subwords`. Threads may share one."""

    kind: ClassVar[str]
    """Its name in files."""
    unit: ClassVar[str]
    """Name of a token's unit, for a reader."""
    reads_bytes: ClassVar[bool]
    """Its tokens are one or more bytes each, of a text as UTF-8 or of anything; else they are characters."""
    symbols: tuple[str, ...] = ()
    """The character of each id, where tokens are characters."""
    needs: tuple[str, ...] = ()
    """Entries of a model file's `needs` that this kind adds."""
    never_written: tuple[int, ...] = ()
    """Ids that no text has, and a model must not write."""
    _kinds: ClassVar[dict[str, type[Vocabulary]]] = {}

    def __init_subclass__(cls) -> None:
        Vocabulary._kinds[cls.kind] = cls

    @classmethod
    def from_text(cls, text: str) -> Characters:
        """<unk>, then the characters of `text` by falling frequency, ties in character order."""
        given.instance("text", text, str, "a str")
        counts = np.zeros(_CODE_POINTS, dtype=np.int64)
        for points in _code_points(text):
            found = np.bincount(points)
            counts[: len(found)] += found
        points = np.flatnonzero(counts)
        order = points[np.argsort(-counts[points], kind="stable")]
        return Characters((UNKNOWN, *map(chr, order)))

    @classmethod
    def bytes(cls) -> Bytes:
        """The 256 bytes: any file, no <unk>."""
        return Bytes()

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of ids: the smallest unsigned one that has them all."""
        return np.dtype(np.uint8 if len(self) <= 1 << 8 else np.uint16 if len(self) <= 1 << 16 else np.uint32)

    @property
    def setting(self) -> str:
        """Its name in a recipe."""
        return self.kind

    @property
    def identity(self) -> Any:
        """The key by which two of one kind are compared."""
        return self.symbols

    @abstractmethod
    def __len__(self) -> int: ...

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and (self.kind, self.identity) == (other.kind, other.identity)

    def __hash__(self) -> int:
        return hash((self.kind, self.identity))

    def __repr__(self) -> str:
        return f"Vocabulary({self.kind}, {len(self)} entries)"

    @abstractmethod
    def encode(self, text: str | bytes) -> np.ndarray:
        """ids (T,) in the smallest unsigned type. A str is taken as UTF-8 where tokens are bytes.

        Raises:
            InputError: bytes for a vocabulary of characters, or what is no text.
        """

    @abstractmethod
    def decode(self, ids: np.ndarray) -> str:
        """The text of ids (T,). <unk> becomes U+FFFD, one character; bytes that are not UTF-8 likewise."""

    def decode_bytes(self, ids: np.ndarray) -> bytes:
        """The bytes of ids (T,), where tokens are bytes."""
        raise InputError("a vocabulary of characters has no bytes")

    def _ids_of(self, ids: Any) -> np.ndarray:
        """`ids` as an array. Raises InputError for one outside the vocabulary, or what are no ids (T,)."""
        found = given.array("ids", ids, "iuf", "whole numbers (T,)")
        if found.ndim != 1 or (found.size and found.dtype.kind == "f"):
            raise InputError(f"ids are {found.dtype} {found.shape}; expected whole numbers (T,)")
        if found.size and not 0 <= found.min() <= found.max() < len(self):
            wrong = int(np.flatnonzero((found < 0) | (found >= len(self)))[0])
            raise InputError(f"ids must be in 0..{len(self) - 1}, got {found[wrong]} at {wrong}")
        return found.astype(np.int64) if found.dtype.kind == "f" else found

    def unknown(self, ids: np.ndarray) -> int:
        """How many of `ids` stand for a character that the vocabulary lacks."""
        return 0

    def is_unknown(self, ids: np.ndarray) -> np.ndarray:
        """bool (T,): which of `ids` represent a character that the vocabulary lacks."""
        return np.zeros(len(ids), dtype=bool)

    def widths(self, ids: np.ndarray) -> np.ndarray | None:
        """int64 (T,): bytes of each token; None: every token is one byte, or one character."""
        return None

    def characters(self, ids: np.ndarray) -> int:
        """How many characters the text of `ids` has; of a vocabulary of bytes, bytes."""
        return len(ids)

    @abstractmethod
    def name(self, id: int) -> str:
        """A token for a reader: one that is no text as b'..'."""

    def written_with(self, characters: str) -> list[int]:
        """The tokens that consist of these characters alone, each of which is a token too."""
        return self.encode(characters).tolist()

    @abstractmethod
    def joined(self, other: Vocabulary) -> Vocabulary:
        """Its own tokens, and after them what `other` has more. Raises InputError if they cannot be joined."""

    def to_dict(self) -> dict[str, Any]:
        """A dict for JSON; the inverse of `from_dict`."""
        return {"kind": self.kind, "symbols": list(self.symbols)}

    @classmethod
    def from_dict(cls, data: Any) -> Vocabulary:
        """Raises ValueError if `data` is not what `to_dict` gives."""
        if not isinstance(data, dict) or not isinstance(data.get("symbols"), list):
            raise InputError("a vocabulary is an object with 'kind' and 'symbols'")
        if not all(isinstance(s, str) for s in data["symbols"]):
            raise InputError("the symbols of a vocabulary are strings")
        kind = Vocabulary._kinds.get(str(data.get("kind")))
        if kind is None:
            raise InputError(f"a vocabulary is of kind 'chars', 'bytes' or 'bpe'; got {data.get('kind')!r}")
        return kind._from_dict(data)

    @classmethod
    @abstractmethod
    def _from_dict(cls, data: dict[str, Any]) -> Vocabulary:
        """Build one from an object that `from_dict` has checked to have symbols, which are strings."""


class Characters(Vocabulary):
    """Characters. Id 0 is <unk>, which stands for every character that the vocabulary lacks."""

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
        return len(ids) - sum(int(np.count_nonzero(ids[i : i + _CHUNK])) for i in range(0, len(ids), _CHUNK))

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
    def _from_dict(cls, data: dict[str, Any]) -> Characters:
        return cls(tuple(data["symbols"]))


class Bytes(Vocabulary):
    """The 256 bytes, so that nothing is unknown."""

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
            raise InputError("a vocabulary of bytes has no symbols of its own")
        return cls()
