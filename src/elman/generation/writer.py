"""Writer: ids in, text out, held back where it may yet become a stop string or half a character."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..text import TextDecoder, Vocabulary


class Writer:
    """ids in, text out: whole characters only, cut at the first stop string, holding back what may become one."""

    def __init__(self, vocabulary: Vocabulary, stops: Sequence[str]) -> None:
        self._decoder, self._stops, self._held, self.ended = TextDecoder(vocabulary), stops, "", False
        self.used = 0
        """How many ids of the last call are of the text, that which completed a stop string included."""
        self.stop: str | None = None
        """The stop string that ended the text."""

    def write(self, ids: np.ndarray) -> str:
        if self.ended:
            self.used = 0
            return ""
        before, begun = self._decoder.getstate(), len(self._held)
        self._held += self._decoder.decode(ids)
        self.used = len(ids)
        # The first to be complete ends the text, wherever calls are cut; the longer of two that are complete at once.
        found = [(at + len(s), at, s) for s in self._stops if (at := self._held.find(s)) >= 0]
        if found:
            end, at, self.stop = min(found)
            self.ended, self.used = True, self._until(before, ids, end - begun)
            piece, self._held = self._held[:at], ""
            return piece
        hold = max((_overlap(self._held, s) for s in self._stops), default=0)
        cut = len(self._held) - hold
        piece, self._held = self._held[:cut], self._held[cut:]
        return piece

    def _until(self, before: tuple[bytes, int], ids: np.ndarray, characters: int) -> int:
        """How many of `ids` it takes from a state of the decoder to so many characters."""
        self._decoder.setstate(before)
        for used in range(len(ids)):
            characters -= len(self._decoder.decode(ids[used : used + 1]))
            if characters <= 0:
                return used + 1
        return len(ids)

    def close(self) -> str:
        """The rest of the text; half a character at the end becomes U+FFFD."""
        return "" if self.ended else self._held + self._decoder.decode(np.zeros(0, dtype=np.int64), final=True)


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that `stop` could go on from."""
    return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0)
