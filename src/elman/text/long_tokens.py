"""Vocabularies of bytes and of longer tokens made of them. Ids 0 .. 255 are the bytes, so every text has ids."""

from __future__ import annotations

import codecs
import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from .. import given
from .normalisation import chunks
from .vocabulary import Vocabulary

MOST = 1 << 16
"""Entries of such a vocabulary: ids fit into two bytes."""
AT_ONCE = 1 << 12
"""Tokens, or words, that are worked on at a time."""
_SURROGATE = re.compile("[\ud800-\udfff]")


class LongTokens(Vocabulary):
    """Bytes, and tokens of several bytes. A subclass says how a text is cut into them."""

    unit, reads_bytes = "token", True

    def _hold(self, tokens: Sequence[bytes]) -> None:
        """Take the bytes of each id (V)."""
        self._tokens = tokens
        self._lengths = np.array([len(token) for token in tokens], dtype=np.int64)
        heads = [sum(byte & 0xC0 != 0x80 for byte in token) for token in tokens]
        self._heads = np.array(heads, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._tokens)

    @abstractmethod
    def encode_parts(self, parts: Iterable[str | bytes]) -> Iterator[np.ndarray]:
        """The ids of a text that comes in parts, wherever it is cut; in parts."""

    def encode(self, text: str | bytes) -> np.ndarray:
        given.instance("text", text, (str, bytes), "a str or bytes")
        parts = list(self.encode_parts(chunks(text) if isinstance(text, str) else [text]))
        return np.concatenate(parts) if parts else np.zeros(0, dtype=self.dtype)

    def decode(self, ids: np.ndarray) -> str:
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def decode_bytes(self, ids: np.ndarray) -> bytes:
        return b"".join(map(self._tokens.__getitem__, self._ids_of(ids).tolist()))

    def widths(self, ids: np.ndarray) -> np.ndarray:
        return self._lengths[ids]

    def characters(self, ids: np.ndarray) -> int:
        """Characters in the text of `ids`; in invalid UTF-8, bytes that could begin one."""
        return sum(int(self._heads[ids[i : i + AT_ONCE]].sum()) for i in range(0, len(ids), AT_ONCE))

    def name(self, id: int) -> str:
        token = self._tokens[given.whole("id", id, 0, len(self))]
        try:
            return token.decode()
        except UnicodeDecodeError:
            return str(token)

    def written_with(self, characters: str) -> list[int]:
        allowed = set(characters)
        return [id for id, token in enumerate(self._tokens) if set(token.decode("utf-8", "replace")) <= allowed]


def is_utf8(text: str) -> bool:
    """Whether UTF-8 can hold it: without half a surrogate pair, or a byte by "surrogateescape"."""
    return _SURROGATE.search(text) is None


def strings(parts: Iterable[str | bytes]) -> Iterator[str]:
    """The characters of a text that comes in parts, wherever cut; bytes that are not UTF-8 by "surrogateescape"."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    for part in parts:
        if not isinstance(part, str):
            yield decoder.decode(part)
        elif _SURROGATE.search(part):
            yield part.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
        else:
            yield part
    yield decoder.decode(b"", True)
