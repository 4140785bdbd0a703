"""Text to ids and back: normalisation, and the Vocabulary, here of characters or bytes. Vectorised, without torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np

from .. import given
from ..errors import InputError

if TYPE_CHECKING:
    from .characters import Bytes, Characters

UNKNOWN = "<unk>"


class Vocabulary(ABC):
    """The tokens of a model: `Characters`, `Bytes`, `Subwords` or `SplitTokens`. Threads may share one."""

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
        if "kind" in vars(cls):
            Vocabulary._kinds[cls.kind] = cls

    @classmethod
    def from_text(cls, text: str) -> Characters:
        """<unk>, then the characters of `text` by falling frequency, ties in character order."""
        return cast("type[Characters]", cls._kinds["chars"]).of_text(text)

    @classmethod
    def bytes(cls) -> Bytes:
        """The 256 bytes: any file, no <unk>."""
        return cast("type[Bytes]", cls._kinds["bytes"])()

    @cached_property
    def never(self) -> np.ndarray | None:
        """float32 (V,), read-only: -inf for ids that are never written, else 0; None: there are no such ids."""
        if not self.never_written:
            return None
        bias = np.zeros(len(self), dtype=np.float32)
        bias[[*self.never_written]] = -np.inf
        bias.flags.writeable = False
        return bias

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
        """The bytes of ids (T,), where tokens are bytes.

        Raises:
            InputError: a vocabulary of characters, which has no bytes.
        """
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
        """Number of `ids` that represent a character the vocabulary lacks."""
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
        """Raises InputError if `data` is not what `to_dict` gives."""
        if not isinstance(data, dict) or not isinstance(data.get("symbols"), list):
            raise InputError("a vocabulary is an object with 'kind' and 'symbols'")
        if not all(isinstance(s, str) for s in data["symbols"]):
            raise InputError("the symbols of a vocabulary are strings")
        kind = Vocabulary._kinds.get(str(data.get("kind")))
        if kind is None:
            raise InputError(f"a vocabulary is of kind 'chars', 'bytes', 'bpe' or 'split'; got {data.get('kind')!r}")
        return kind._from_dict(data)

    @classmethod
    @abstractmethod
    def _from_dict(cls, data: dict[str, Any]) -> Vocabulary:
        """Build one from an object that `from_dict` has checked to have symbols, which are strings."""
