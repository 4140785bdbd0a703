"""Words: what each word of a scored text cost, and how uncertain the model was before it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ..model import Model
from .blocks import record_entropies, text_entropies
from .scores import Score

_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Word:
    """A run of characters without white space."""

    text: str
    place: int
    """Position of its first character in the text, from 0."""
    line: int
    """Line number, from 1."""
    number: int
    """Number of the word in its line, from 1."""
    bits: float
    """The cost of its characters and of the white space after it, which says that it has ended: p(word | context)."""
    entropy: float
    """Bits: how uncertain the model was of the token with the word's first character before it read that."""


def words(model: Model, score: Score) -> list[Word]:
    """The words of a text that `model` scored, in their order."""
    ids = model.reading.vocabulary.encode(score.data)
    entropies = (record_entropies if score.records else text_entropies)(model, [ids])[0]
    return list(words_of([(score, entropies)]))


def words_of(pieces: Iterable[tuple[Score, np.ndarray]]) -> Iterator[Word]:
    """The words of a text that comes in pieces of whole lines, each with the entropies of its tokens."""
    place, line = 0, 1
    for score, entropies in pieces:
        text, bits = score.characters()
        entropies = entropies[score.tokens_of_characters()[0]]
        costs = np.concatenate(([0.0], np.cumsum(bits)))
        number, begin = 0, 0
        for match in _WORD.finditer(text):
            breaks = text.count("\n", begin, match.start())
            line, number, begin = line + breaks, 1 if breaks else number + 1, match.start()
            end = min(match.end() + 1, len(text))
            cost = float(costs[end] - costs[match.start()])
            yield Word(match[0], place + match.start(), line, number, cost, float(entropies[match.start()]))
        line += text.count("\n", begin)
        place += len(text)
