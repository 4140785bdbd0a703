"""Text from ids that come a few at a time."""

from __future__ import annotations

import codecs

import numpy as np

from .vocabulary import Vocabulary


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
