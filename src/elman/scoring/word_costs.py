"""Words: what each word of a scored text cost, and how uncertain the model was before it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..model import Model
from .blocks import record_entropies, text_entropies
from .scores import Score

_WORD = re.compile(r"\S+")
_PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\u2018\u2019\u201c\u201d\u00ab\u00bb\u2026\u2013\u2014"


@dataclass(frozen=True)
class Word:
    """A run of characters without white space."""

    text: str
    place: int
    """Position of its first character in the text, from 1."""
    line: int
    """Line number, from 1."""
    number: int
    """Number of the word in its line, from 1."""
    bits: float
    """The cost of its characters and of the white space after it, which says that it has ended: p(word | context)."""
    entropy: float
    """Bits: how uncertain the model was of the token with the word's first character before it read that."""
    bare_bits: float
    """The cost of `bare` and of the character after it, punctuation or white space."""

    @property
    def bare(self) -> str:
        """The word without the punctuation at its ends; a word of punctuation alone is kept whole."""
        return self.text[slice(*_bare_span(self.text))]

    @property
    def length(self) -> int:
        """Characters of `bare`."""
        return len(self.bare)


def words(model: Model, score: Score) -> list[Word]:
    """The words of a text that `model` scored, in their order."""
    ids = model.reading.vocabulary.encode(score.data)
    entropies = (record_entropies if score.records else text_entropies)(model, [ids])[0]
    return list(words_of([(score, entropies)]))


def words_of(pieces: Iterable[tuple[Score, np.ndarray]]) -> Iterator[Word]:
    """The words of a text that comes in pieces of whole lines, each with the entropies of its tokens."""
    place, line = 1, 1
    for score, entropies in pieces:
        text, bits = score.characters()
        entropies = entropies[score.tokens_of_characters()[0]]
        costs = np.concatenate(([0.0], np.cumsum(bits)))
        number, begin = 0, 0
        for match in _WORD.finditer(text):
            start = match.start()
            breaks = text.count("\n", begin, start)
            line, number, begin = line + breaks, 1 if breaks else number + 1, start
            first, last = _bare_span(match[0])
            cost = _cost(costs, start, match.end())
            bare = _cost(costs, start + first, start + last)
            yield Word(match[0], place + start, line, number, cost, float(entropies[start]), bare)
        line += text.count("\n", begin)
        place += len(text)


def word_bits(score: Score, beside: Score) -> list[float]:
    """The bits of every word of a text, as `words` gives them, without the cost of its entropies.

    Args:
        score: by a model that may normalise the text in its own way.
        beside: of the same text by the model whose words these must be, one for one.
    Raises:
        InputError: the models do not read as many words.
    """
    text, bits = score.characters()
    found, words = len(_WORD.findall(text)), len(_WORD.findall(beside.characters()[0]))
    if found != words:
        raise InputError(
            f"the models read the text as {words:,} and {found:,} words, which have no common list; compare models "
            "with one normalisation"
        )
    costs = np.concatenate(([0.0], np.cumsum(bits)))
    return [_cost(costs, *match.span()) for match in _WORD.finditer(text)]


def word_counts(text: str) -> Counter[str]:
    """How often each word occurs in `text`, without the punctuation at its ends, in lower case."""
    return Counter(word[slice(*_bare_span(word))].lower() for word in _WORD.findall(text))


def _bare_span(text: str) -> tuple[int, int]:
    """The begin and end, in `text`, of the word without the punctuation at its ends."""
    bare = text.rstrip(_PUNCTUATION)
    return (len(bare) - len(bare.lstrip(_PUNCTUATION)), len(bare)) if bare else (0, len(text))


def _cost(costs: np.ndarray, begin: int, end: int) -> float:
    """The bits of text[begin:end] and of the character after it, if there is one. costs: sums from the start."""
    return float(costs[min(end + 1, len(costs) - 1)] - costs[begin])
