"""Grown: the texts that grow, and what is made for them until it is handed on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .completion import Piece
from .writer import Growing


class Grown:
    """Texts side by side, in the order of the streams' rows.

    A step costs Python nothing for a text that nobody sees before its end and of which only the ids are asked for: they
    are kept in one array for all such texts, a line for each.
    """

    def __init__(self) -> None:
        self.texts: list[Growing] = []
        self._length, self._written, self._line = (np.zeros(0, dtype=np.int64) for _ in range(3))
        """(B,): how long each may become and is; and its line, -1 for none."""
        self._ids, self._free = np.empty((0, 0), dtype=np.int64), list[int]()
        self._changed()

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def left(self) -> np.ndarray:
        """int64 (B,): steps to the end of each."""
        return self._length - self._written

    def join(self, texts: Sequence[Growing]) -> None:
        lines = [self._free_line() if growing.quiet else -1 for growing in texts]
        self._line = np.append(self._line, lines)
        self._length = np.append(self._length, [growing.text.length for growing in texts])
        self._written = np.append(self._written, np.zeros(len(texts), dtype=np.int64))
        self.texts = [*self.texts, *texts]
        self._changed()

    def keep(self, places: Sequence[int]) -> None:
        at = np.array(places, dtype=np.int64)
        self.texts = [self.texts[b] for b in places]
        self._length, self._written, self._line = self._length[at], self._written[at], self._line[at]
        self._changed()

    def _changed(self) -> None:
        self.unseen = all(growing.late for growing in self.texts)
        """Whether nobody sees any of them before its end."""
        self.traced = any(growing.text.top is not None for growing in self.texts)
        """Whether any reports log-probabilities."""
        self._quiet, self._seen = np.flatnonzero(self._line >= 0), np.flatnonzero(self._line < 0).tolist()

    def grow(self, made: np.ndarray, trace: np.ndarray | None) -> list[Piece]:
        """Go on with `made`, int64 (t, B); what is to be handed on.

        Args:
            trace: float32 (t, B, V), logits before each of the ids; needed where a text reports log-probabilities.
        """
        columns, quiet = made.T, self._quiet
        self._write(columns[quiet])
        self._written = np.minimum(self._written + len(made), self._length)
        pieces = [
            piece
            for b in self._seen
            if (piece := self.texts[b].grow(columns[b], None if trace is None else trace[:, b])) is not None
        ]
        ended = quiet[self._written[quiet] == self._length[quiet]]
        return pieces + [self._end(b, "length") for b in ended.tolist()]

    def cut(self) -> list[Piece]:
        """The last pieces of the texts that are to end before they are whole."""
        return [self._end(b, growing.text.cut) for b, growing in enumerate(self.texts) if growing.text.cut]

    def _end(self, b: int, reason: str) -> Piece:
        growing, line = self.texts[b], int(self._line[b])
        if line >= 0:
            growing.take(np.array(self._ids[line, : self._written[b]]))
            self._free.append(line)
        return growing.end(reason)

    def _write(self, columns: np.ndarray) -> None:
        """The next ids of the quiet texts, (b, t)."""
        if not len(columns):
            return
        at, steps = self._written[self._quiet], columns.shape[1]
        width = int(at.max()) + steps
        if width > self._ids.shape[1]:
            self._widen(len(self._ids), max(width, 2 * self._ids.shape[1]))
        self._ids[self._line[self._quiet][:, None], at[:, None] + np.arange(steps)] = columns

    def _free_line(self) -> int:
        if not self._free:
            lines, width = self._ids.shape
            self._widen(2 * lines + 1, width)
            self._free = list(range(lines, len(self._ids)))
        return self._free.pop()

    def _widen(self, lines: int, width: int) -> None:
        ids = np.empty((lines, width), dtype=np.int64)
        ids[: len(self._ids), : self._ids.shape[1]] = self._ids
        self._ids = ids
