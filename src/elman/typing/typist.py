"""Typist: what a writer will choose next, for keyboards, Dasher and scanning boards. It learns from the writer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import NamedTuple

import numpy as np

from .. import given
from ..errors import InputError, whole_number
from ..generation.paths import Path, Paths
from ..generation.tokens import Tokens
from ..model import Model
from .alphabet import Alphabet
from .habits import Habits
from .mixture import Mixture
from .primed import Primed

_LONGEST = 24  # symbols of a completion
_LEAST = 1e-12  # of a probability that is learned from
_IN_WORDS = "'\u2019-"


class Completion(NamedTuple):
    """How a word may go on."""

    text: str
    """The symbols that follow what was typed, to the end of the word."""
    probability: float
    """Probability of exactly these symbols, and then of one that is not of a word."""


class Typist:
    """A language model for someone who types: the distribution of the next symbol of an alphabet.

    The distribution is over the model's text, summed over all ways to cut it into tokens (of which, for subwords,
    the heaviest are followed), over the symbols of the alphabet alone, and never below `floor`.

    Args:
        model: of characters, bytes or subwords.
        alphabet: the symbols to choose from, each one character; the line end among them if it can be chosen. None: all
            characters of a model of characters.
        floor: the smallest probability of a symbol.
        primed: n-grams of the model's training text, or the file that has them, which are mixed in; see `prime`.
        other, share: a second model, whose distribution has this share of the mixture.
        learned: the file that keeps what is learned; it is read if it is there, and written by `save`.
        tune: `learn` trains the network too, not only counts: slower, for a float model.
        width: ways to cut what was typed into tokens that are followed; None: all, so that the sums are exact.
    Raises:
        InputError: an alphabet that does not fit the model, or a floor that leaves nothing to the model.
    """

    def __init__(
        self,
        model: Model,
        alphabet: str | None = None,
        *,
        floor: float = 1e-5,
        primed: Primed | str | os.PathLike[str] | None = None,
        other: Model | None = None,
        share: float = 0.5,
        learned: str | os.PathLike[str] | None = None,
        tune: bool = False,
        width: int | None = 8,
    ) -> None:
        if not hasattr(model, "reading"):
            raise InputError(f"the model is {given.shown(model)}; expected one that elman.load gives")
        vocabulary = model.reading.vocabulary
        if alphabet is None and vocabulary.reads_bytes:
            raise InputError(
                f"the model reads {vocabulary.unit}s; say which characters can be typed: alphabet='abc ...'"
            )
        self.alphabet = Alphabet("".join(vocabulary.symbols[1:]) if alphabet is None else alphabet, model.reading)
        self.floor = given.share("floor", floor)
        if self.floor * len(self.alphabet) >= 1:
            raise InputError(f"floor is {floor}; {len(self.alphabet)} symbols of it leave nothing to the model")
        width = None if width is None else whole_number("width", width, 1)
        self._share = given.share("share", share) if other is not None else 0.0
        self._ways = [Paths(each, Tokens(each.reading, self.alphabet.bytes), width) for each in (model, other) if each]
        if primed is not None and not isinstance(primed, Primed):
            primed = Primed.load(primed)
        self._mixture = Mixture(primed, self.alphabet.symbols) if primed else None
        self._habits = Habits(model, self.alphabet.symbols, tune, self._mixture)
        self._file = None if learned is None else FilePath(given.path("learned", learned))
        if self._file is not None and self._file.exists():
            self._habits.load(self._file)
            self._ways[0].use(self._habits.model)
        self.text = ""
        """Text entered since the last line end."""
        self._begin()

    def _begin(self) -> None:
        self._paths: list[tuple[Path, ...]] = [way.begin() for way in self._ways]
        self._contexts = self._habits.begin()
        self._nodes = self._mixture.primed.begin() if self._mixture else []

    def copy(self) -> Typist:
        """Another typist at the same place. It shares the models and what is learned; what one enters, the other does
        not see. Keep a copy to come back to its place."""
        made = Typist.__new__(Typist)
        made.__dict__.update(self.__dict__)
        return made

    def enter(self, text: str) -> None:
        """Read what was written; a symbol out of the alphabet is context too. A line end begins a line."""
        given.instance("text", text, str, "a str")
        for symbol in text:
            self._enter(symbol)

    def _enter(self, symbol: str) -> None:
        self.text = "" if symbol == "\n" else self.text + symbol
        spelt, paths = symbol.encode("utf-8", "replace"), []
        for way, before in zip(self._ways, self._paths, strict=True):
            if symbol == "\n" and way.model.reading.records:
                paths.append(way.begin())
            else:
                paths.append(way.enter(before, spelt) or way.unknown(before))
        self._paths = paths
        place = self.alphabet.places.get(symbol, len(self.alphabet))
        if self._mixture:
            self._nodes = self._mixture.followed(self._nodes, symbol, place)
        if symbol == "\n":
            self._contexts = self._habits.begin()
        else:
            self._contexts = self._habits.ngrams.followed(self._contexts, place)

    def probabilities(self) -> np.ndarray:
        """float64 (A,): the probability of each symbol of the alphabet, in its order; they add up to 1."""
        p = self._modelled()
        if self._habits.size:
            p = self._habits.ngrams.mixed(np.append(p, 0.0), self._contexts)[:-1]
        p = self.floor + (1 - self.floor * len(p)) * p
        return p / p.sum()

    def distribution(self) -> dict[str, float]:
        """`probabilities` by symbol."""
        return dict(zip(self.alphabet.symbols, self.probabilities().tolist(), strict=True))

    def _modelled(self) -> np.ndarray:
        """The distribution of models and primed n-grams, without counts of what was learned."""
        p = self._of_networks()
        return self._mixture.mixed(p, self._nodes) if self._mixture else p

    def _of_networks(self) -> np.ndarray:
        parts = [_normal(way.masses(paths)) for way, paths in zip(self._ways, self._paths, strict=True)]
        return parts[0] if len(parts) == 1 else (1 - self._share) * parts[0] + self._share * parts[1]

    def learn(self, text: str | None = None) -> None:
        """Learn from a line, or from several. It counts for the next lines, and for every copy of this typist.

        Args:
            text: None: what was entered since the last line end.
        """
        given.instance("text", text, (str, type(None)), "a str or None")
        for line in (self.text if text is None else text).split("\n"):
            if line:
                self._learn(line)

    def _learn(self, line: str) -> None:
        reader, places, chances = self.copy(), [], []
        reader._begin()
        ends = "\n" if "\n" in self.alphabet.places else ""
        for symbol in line + ends:
            place = self.alphabet.places.get(symbol, len(self.alphabet))
            chance, p = self.floor, reader._of_networks()
            if place < len(self.alphabet):
                mixed = self._mixture.mixed(p, reader._nodes) if self._mixture else p
                chance = float(mixed[place])
                if self._mixture:
                    self._mixture.learn(p, reader._nodes, place)
            places.append(place)
            chances.append(max(chance, _LEAST))
            reader._enter(symbol)
        reading = self._habits.model.reading
        self._habits.learn(places, chances, reading.prompt(line + ("\n" if reading.records else "")))
        self._ways[0].use(self._habits.model)

    def save(self) -> None:
        """Write what was learned to the file that was given as `learned`: mode 0600, and it says what it holds. What
        other processes saved to it meanwhile is learned too, and kept.

        Raises:
            InputError: no file was given.
        """
        if self._file is None:
            raise InputError("there is no file to save to; give Typist its name as `learned`")
        self._habits.save(self._file)
        self._ways[0].use(self._habits.model)

    def forget(self) -> None:
        """Forget what was learned, in this typist and in its copies, and remove the file. A copy of a tuned typist is
        rid of it from its next line on."""
        self._habits.remove(self._file)
        self._ways[0].use(self._habits.model)
        line = self.text
        self._begin()
        self.text = ""
        self.enter(line)

    def complete(self, count: int = 5, width: int = 8) -> list[Completion]:
        """The likeliest ways in which the word goes on, likeliest first: after a blank, the likeliest next words.

        Args:
            count: how many.
            width: beginnings that are kept at each symbol of the search.
        """
        count, width = whole_number("count", count, 1), max(count, whole_number("width", width, 1))
        inner = np.array([symbol.isalnum() or symbol in _IN_WORDS for symbol in self.alphabet.symbols])
        found: list[Completion] = []
        open_: Sequence[tuple[float, str, Typist]] = [(1.0, "", self)]
        for length in range(_LONGEST):
            grown: list[tuple[float, str, str, Typist]] = []
            for weight, text, typist in open_:
                p = typist.probabilities()
                if length:
                    found.append(Completion(text, weight * float(p[~inner].sum())))
                grown += [
                    (weight * float(p[place]), text, self.alphabet.symbols[place], typist)
                    for place in np.flatnonzero(inner).tolist()
                ]
            found = sorted(found, key=_likeliest)[:count]
            grown.sort(key=lambda each: (-each[0], each[1] + each[2]))
            least = found[-1].probability if len(found) == count else 0.0
            open_ = []
            for weight, text, symbol, typist in grown[:width]:
                if weight > least:
                    longer = typist.copy()
                    longer._enter(symbol)
                    open_.append((weight, text + symbol, longer))
            if not open_:
                break
        return found

    def __repr__(self) -> str:
        learned = f", {self._habits.size:,} symbols learned" if self._habits.size else ""
        return f"Typist({len(self.alphabet)} symbols{learned}, after {self.text!r})"


def _normal(masses: np.ndarray) -> np.ndarray:
    """These as probabilities; equal ones where no symbol has any."""
    total = masses.sum()
    return masses / total if total > 0 else np.full(len(masses), 1 / len(masses))


def _likeliest(completion: Completion) -> tuple[float, str]:
    return -completion.probability, completion.text
