"""Prompt: a prompt that is read piece by piece, and the texts that will follow it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..kernels import State
from ..model import Model
from .completion import Likely, Text, joined, likely
from .prefixes import Prefixes


class Prompt:
    """One prompt for all the texts.

    Attributes:
        whole: its logits are asked for at every place.
        at: how many of its ids have been read; the state, of one row, and the logits (1, V) are those after them.
    """

    def __init__(self, model: Model, texts: list[Text], prefixes: Prefixes | None) -> None:
        self.model, self.texts, self.ids = model, texts, model.reading.primed(texts[0].prompt)
        tops = [text.prompt_top for text in texts if text.prompt_top is not None]
        self.whole, self._top = bool(tops), max(tops, default=0)
        self.at, self._reports = 0, list[Likely]()
        known = None if self.whole or prefixes is None else prefixes.longest(self.ids)
        if known is None:
            start = model.decoder(1)
            self.state, self.logits = start.state, start.logits
        else:
            self.at, self.state, self.logits = known
        self._new = prefixes is not None and self.left > 0

    @property
    def left(self) -> int:
        return len(self.ids) - self.at

    def take(self, count: int) -> np.ndarray:
        return self.ids[self.at : self.at + count]

    def went_on(self, ids: np.ndarray, state: State, last: np.ndarray, logits: np.ndarray | None) -> None:
        self.at, self.state, self.logits = self.at + len(ids), state, last
        if logits is not None:  # those after an id tell of the next one; the last ones tell of what is to be written
            following = self.ids[self.at - len(ids) + 1 : self.at + 1]
            self._reports.append(likely(self.model, logits[: len(following)], following, self._top))

    def finish(self, prefixes: Prefixes | None) -> None:
        for text in self.texts:
            text.prompt_likely = joined(self._reports)
        if prefixes is not None and self._new:
            prefixes.put(self.ids, self.state, self.logits)


def side_by_side(states: Sequence[State]) -> State:
    """Join states of one row each into a batch's."""
    return tuple(np.concatenate(parts, axis=1) for parts in zip(*states, strict=True))
