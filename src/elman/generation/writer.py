"""Writer: ids in, text out, held back where it may yet become a stop string or half a character. Growing: a text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..model import Model
from ..text import TextDecoder, Vocabulary
from .completion import Likely, Piece, Text, joined, likely

_NONE = np.zeros(0, dtype=np.int64)


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

    def close(self, ids: np.ndarray) -> str:
        """The last of the text, with these ids, among which no stop string begins or ends; half a character at the end
        becomes U+FFFD."""
        return "" if self.ended else self._held + self._decoder.decode(ids, final=True)


class Growing:
    """A text that grows, and the part of it that was not handed on yet.

    Attributes:
        late: it is handed on whole, and only its length can end it: it is decoded once, at its end.
        quiet: nor does it report log-probabilities, so its ids may come at the end, too.
    """

    def __init__(self, model: Model, text: Text) -> None:
        self.text, self._model = text, model
        self._writer = Writer(model.reading.vocabulary, text.stops)
        self.late, self.quiet = text.unseen, text.unseen and text.top is None
        self._ids, self._added, self._reports = list[np.ndarray](), list[str](), list[Likely]()

    def grow(self, ids: np.ndarray, logits: np.ndarray | None) -> Piece | None:
        """Go on with `ids`, int64 (t,), as far as the text goes; the new part, unless it is handed on later.

        Args:
            logits: float32 (t, V), before each of the ids; needed where the text reports log-probabilities.
        """
        text, writer = self.text, self._writer
        ids = ids[: text.length - text.written]
        if not self.late:
            self._added.append(writer.write(ids))
            ids = ids[: writer.used]
        self._ids.append(ids)
        text.written += len(ids)
        if text.top is not None and logits is not None:
            self._reports.append(likely(self._model, logits[: len(ids)], ids, text.top))
        if writer.ended:
            text.stop = writer.stop
            return self.end("stop")
        if text.written >= text.length:
            return self.end("length")
        return None if text.whole else self._part(last=False)

    def take(self, ids: np.ndarray) -> None:
        """All ids of a quiet text."""
        self._ids.append(ids)
        self.text.written = len(ids)

    def end(self, reason: str) -> Piece:
        """End the text for this reason; its last part."""
        self.text.finish_reason = reason
        self._added.append(self._writer.close(np.concatenate(self._ids) if self.late and self._ids else _NONE))
        return self._part(last=True)

    def _part(self, last: bool) -> Piece:
        ids = self._ids[0] if len(self._ids) == 1 else np.concatenate([_NONE, *self._ids])
        piece = Piece(self.text, "".join(self._added), ids, joined(self._reports), last)
        self._ids, self._added, self._reports = [], [], []
        return piece


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that `stop` could go on from."""
    return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0)
