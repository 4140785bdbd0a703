"""Model with KenLM's names, arguments and units.

Source: the Python module of KenLM 0.3 (https://github.com/kpu/kenlm), whose docstrings say what each call means.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .. import given
from ..errors import InputError
from ..model import Model as _Model
from ..model import load, model_path
from ..scoring import sequence_nats
from ..text import normalise
from .state import Config, FullScoreReturn, State

_BLANKS = re.compile(r"[ \t\n\v\f\r]+")  # KenLM splits bytes: no-break spaces belong to a word
_LN_10 = math.log(10)
_END = "</s>"
_UNBOUNDED = 2**31 - 1


class Model:
    """A language model that scores sentences of words, with KenLM's names.

    The score of a sentence is exactly log10 of the probability of its text: the words with one space between them, and
    a line end as </s>. A word's share is the sum over its characters and the space before it.

    Args:
        path: a model's file or a run's folder, or the name of a packaged model.
        config: KenLM's; without effect.
        separator: what stands between words in the text that the model was trained on; "" where the words of a
            sentence are single characters, as in character n-grams, in which "<sp>" then is a space.
    Raises:
        ModelFileError: not a model.
    """

    order = _UNBOUNDED
    """Words that a score can depend on: all of the sentence."""
    path: bytes = b""
    """The model's file; bytes, as KenLM gives it."""

    def __init__(
        self, path: str | bytes | os.PathLike[str], config: Config | None = None, separator: str = " "
    ) -> None:
        place = os.fsdecode(path) if isinstance(path, bytes) else path
        self.model: _Model = load(given.path("path", place))
        self.separator = given.instance("separator", separator, str, "a str")
        self.path = os.fsencode(os.path.abspath(model_path(str(place))))

    def __reduce__(self) -> tuple[Any, ...]:
        return Model, (self.path, None, self.separator)

    def __repr__(self) -> str:
        return f"<Model from {os.fsdecode(os.path.basename(self.path))}>"

    def __contains__(self, word: str | bytes) -> bool:
        """Whether the model knows every character of `word`."""
        text = self._text(word)
        return text == _END or not self.model.reading.unknown_characters(self._spelt(text))

    def score(self, sentence: str | bytes, bos: bool = True, eos: bool = True) -> float:
        """log10 p(sentence </s> | <s>), the sum of `full_scores`.

        Args:
            sentence: words with white space between them, without <s> and </s>.
            bos: the sentence begins a line. False: nothing is known of what came before.
            eos: count the end of the line.
        Raises:
            InputError: `eos` with a model that has never seen a line end.
        """
        return self.scores([sentence], bos, eos)[0]

    def scores(self, sentences: Sequence[str | bytes], bos: bool = True, eos: bool = True) -> list[float]:
        """`score` of each sentence, all read side by side: many times faster than one after another.

        Raises:
            InputError: one text in place of a list.
        """
        if isinstance(sentences, str | bytes):
            raise InputError("scores takes a list of sentences, got one text; call score")
        words = [self._words(self._text(sentence), bos, eos) for sentence in sentences]
        return [math.fsum(word) for word in self._costs(words, bos)]

    def full_scores(
        self, sentence: str | bytes, bos: bool = True, eos: bool = True
    ) -> Iterator[tuple[float, int, bool]]:
        """log10 p, the number of words that it depends on, and whether it has an unknown character, of each word and
        of the line end. The rest as for `score`."""
        text = self._text(sentence)
        words = self._words(text, bos, eos)
        unknown = self.model.reading.vocabulary.unknown
        for number, (cost, ids) in enumerate(zip(self._costs([words], bos)[0], words, strict=True), 1):
            yield cost, number + bos, unknown(ids) > 0

    def perplexity(self, sentence: str | bytes) -> float:
        """10 to the mean -log10 p of the words and of </s>."""
        return 10.0 ** (-self.score(sentence) / (len(_split(self._text(sentence))) + 1))

    def BeginSentenceWrite(self, state: State) -> None:
        """Make `state` the begin of a sentence."""
        state.before, state.last, state.words, state.begun = None, self.model.reading.start, 1, False

    def NullContextWrite(self, state: State) -> None:
        """Make `state` the one in which nothing is known of what came before: the begin of a word."""
        state.before, state.last, state.words, state.begun = None, self._null, 0, False

    def BaseScore(self, in_state: State, word: str | bytes, out_state: State) -> float:
        """log10 p(word | in_state); `out_state`, which may be the same object, becomes what follows the word."""
        return self.BaseFullScore(in_state, word, out_state).log_prob

    def BaseFullScore(self, in_state: State, word: str | bytes, out_state: State) -> FullScoreReturn:
        """`BaseScore` with the number of words that it depends on, and whether the word has an unknown character."""
        given.instance("in_state", in_state, State, "a State")
        given.instance("out_state", out_state, State, "a State")
        ids = self._ids(self._text(word), in_state.begun)
        last = self._null if in_state.last is None else in_state.last
        read = np.array([last, *ids[:-1]], dtype=np.int64)
        cost, before = 0.0, in_state.before
        if len(ids):
            _, nats, before = self.model.loss(read[:, None], ids[:, None], before)
            cost, last = _log10(nats[:, 0]), int(ids[-1])
        words = in_state.words + 1
        out_state.before, out_state.last, out_state.words, out_state.begun = before, last, words, True
        return FullScoreReturn(cost, words, self.model.reading.vocabulary.unknown(ids) > 0)

    @property
    def _null(self) -> int:
        return int(self.model.reading.vocabulary.encode(" ")[-1])

    def _text(self, text: str | bytes) -> str:
        given.instance("a sentence or word", text, (str, bytes), "a str, or bytes of UTF-8")
        try:
            return text if isinstance(text, str) else text.decode()
        except UnicodeDecodeError as error:
            raise InputError(f"a sentence or word is bytes that are not UTF-8, at byte {error.start}") from None

    def _spelt(self, word: str) -> str:
        return " " if not self.separator and word == "<sp>" else word

    def _ids(self, word: str, begun: bool) -> np.ndarray:
        """int64 (T,) of a word, after others or not."""
        reading = self.model.reading
        if word == _END:
            return np.array([reading.line_end], dtype=np.int64)
        text = (self.separator if begun else "") + normalise(self._spelt(word), reading.normalisation)
        return reading.vocabulary.encode(text).astype(np.int64)

    def _words(self, sentence: str, bos: bool, eos: bool) -> list[np.ndarray]:
        words = _split(sentence) + ([_END] if eos else [])
        return [self._ids(word, number > 0) for number, word in enumerate(words)]

    def _costs(self, sentences: Sequence[list[np.ndarray]], bos: bool) -> list[list[float]]:
        """log10 p of every word of each sentence."""
        first = np.array([self.model.reading.start if bos else self._null], dtype=np.int64)
        ids = [np.concatenate((first, *words)) for words in sentences]
        lengths = np.array([len(each) - 1 for each in ids], dtype=np.int64)
        if not lengths.sum():
            return [[0.0] * len(words) for words in sentences]
        starts = np.cumsum(lengths + 1) - lengths - 1
        nats, at, costs = sequence_nats(self.model, np.concatenate(ids), starts, lengths), 0, []
        for words in sentences:
            ends = at + np.cumsum([len(word) for word in words], dtype=np.int64)
            costs.append([_log10(nats[end - len(word) : end]) for end, word in zip(ends, words, strict=True)])
            at = int(ends[-1]) if len(ends) else at
        return costs


LanguageModel = Model
"""KenLM's older name of `Model`."""


def _split(sentence: str) -> list[str]:
    return [word for word in _BLANKS.split(sentence) if word]


def _log10(nats: np.ndarray) -> float:
    """log10 of the probability that costs these nats; 0.0, not -0.0, for none."""
    return 0.0 - math.fsum(nats.astype(np.float64)) / _LN_10
