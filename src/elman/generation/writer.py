"""Writer: ids in, text out, held back where it may yet become a stop string or half a character."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..text import TextDecoder, Vocabulary


class Writer:
    """ids in, text out: whole characters only, cut at the first stop string, holding back what may become one."""

    def __init__(self, vocabulary: Vocabulary, stops: Sequence[str]) -> None:
        self._decoder, self._stops, self._held, self.ended = TextDecoder(vocabulary), stops, "", False

    def write(self, ids: np.ndarray) -> str:
        if self.ended:
            return ""
        self._held += self._decoder.decode(ids)
        found = [at for at in map(self._held.find, self._stops) if at >= 0]
        if found:
            self.ended = True
            piece, self._held = self._held[: min(found)], ""
            return piece
        hold = max((_overlap(self._held, s) for s in self._stops), default=0)
        cut = len(self._held) - hold
        piece, self._held = self._held[:cut], self._held[cut:]
        return piece

    def close(self) -> str:
        """What was held back; half a character at the end becomes U+FFFD."""
        return "" if self.ended else self._held + self._decoder.decode(np.zeros(0, dtype=np.int64), final=True)


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that `stop` could go on from."""
    return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0)
