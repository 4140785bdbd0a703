"""Arguments and results of KenLM's calls: settings, the score of a word, and State."""

from __future__ import annotations

import copy
import enum
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..model import ModelState


class LoadMethod(enum.IntEnum):
    """KenLM's ways to load a file. Accepted, and without effect."""

    LAZY = 0
    POPULATE_OR_LAZY = 1
    POPULATE_OR_READ = 2
    READ = 3
    PARALLEL_READ = 4


class ARPALoadComplain(enum.IntEnum):
    """KenLM's complaints about ARPA files. Accepted, and without effect."""

    ALL = 0
    EXPENSIVE = 1
    NONE = 2


@dataclass
class Config:
    """KenLM's settings. Accepted, and without effect: a model's file opens at once."""

    load_method: LoadMethod = LoadMethod.POPULATE_OR_READ
    show_progress: bool = False
    arpa_complain: ARPALoadComplain = ARPALoadComplain.NONE


class FullScoreReturn(NamedTuple):
    """The score of a word."""

    log_prob: float
    """log10 p(word | what came before)."""
    ngram_length: int
    """Words that the score depends on, with this one and the begin of the sentence: all of them."""
    oov: bool
    """The word has a character that the model's vocabulary lacks."""


@dataclass(eq=False)
class State:
    """State of a model after a text. `State()` is the null context until a call writes to it."""

    before: ModelState | None = None
    """h (L, 1, H), or (h, c), before the last id; None: zeros."""
    last: int | None = None
    """The last id, which the next call reads first; None: the null context."""
    words: int = 0
    """Words of the context, the begin of the sentence among them."""
    begun: bool = False
    """A word was read, so the next one has a space before it."""

    def __copy__(self) -> State:
        return State(self.before, self.last, self.words, self.begun)  # the arrays are never written to

    def __deepcopy__(self, memo: dict[int, Any]) -> State:
        return copy.copy(self)

    def _key(self) -> tuple[bytes, int, bool]:
        parts = self.before if isinstance(self.before, tuple) else (self.before,)
        bits = b"".join(b"" if part is None else part.tobytes() for part in parts)
        return bits, -1 if self.last is None else self.last, self.begun

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, State) else NotImplemented

    def __lt__(self, other: State) -> bool:
        return self._key() < other._key()

    def __hash__(self) -> int:
        return hash(self._key())
