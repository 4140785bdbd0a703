"""Habits: what a typist has learned from its writer, and the file that keeps it.

Counts of what followed the last symbols are mixed into the model's distribution, as `elman score --adaptive` mixes them
over tokens; and the network of a float model can take steps of training. Both begin with nothing learned.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, ModelFileError
from ..files import write_atomically
from ..model import LanguageModel, Model, trainable
from ..model.container import read, to_bytes
from ..scoring.adaptive import STEPS, Learning
from ..scoring.ngrams import Ngrams
from .mixture import Mixture

KIND = "elman-typist"
"""The kind of file."""
HOLDS = "the text that was typed, in order, for the typist that learned from it; whoever reads this file can read it"
MOST = 100_000
"""Symbols that a file keeps, the last ones: they are counted again in about a second."""
_FIRST = (15.8, 16.0)
"""Initial parameters of a weight of the counts: the model knows the language, and counts have to earn their share."""


class Habits:
    """Counts, a journal of what was counted, and the network if it learns.

    Args:
        model: as it was trained.
        symbols: the alphabet.
        tune: the network learns too.
        mixture: primed n-grams, whose weights learn.
    """

    def __init__(self, model: Model, symbols: str, tune: bool, mixture: Mixture | None = None) -> None:
        self._trained, self._symbols, self.tune, self._mixture = model, symbols, tune, mixture
        if tune:
            trainable(model)  # refuses a quantised one
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.ngrams = Ngrams(len(self._symbols) + 1, _FIRST)
        self._places: list[int] = []
        self._chances: list[float] = []
        self.model: Model = self._trained
        """The one to predict with."""
        self._learning: Learning | None = None
        if self._mixture:
            self._mixture.forget()

    @property
    def size(self) -> int:
        """Symbols that were learned."""
        return len(self._places)

    def begin(self) -> list[int]:
        """The n-grams' contexts at the begin of a line."""
        return [0, len(self._symbols)]

    def count(self, places: list[int], chances: list[float]) -> None:
        """Learn a line: the place of each symbol in the alphabet (its size: another symbol), and the probability that
        the model gave it."""
        self.ngrams.restart(len(self._symbols))
        for place, chance in zip(places, chances, strict=True):
            self.ngrams.mix(place, chance)
        self._places += [*places, -1]
        self._chances += [*chances, 0.0]

    def train(self, ids: np.ndarray) -> None:
        """Steps of training on the tokens of a line, int64 (T,), which are primed here."""
        if not self.tune:
            return
        if self._learning is None:
            self.model = copy.deepcopy(trainable(self._trained))
            self._learning = Learning(self.model.network)
        ids = self.model.reading.primed(ids)
        self._learning.restart()
        for first in range(0, len(ids) - 1, STEPS):
            self._learning.read(ids[first : first + STEPS + 1])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write what was learned, for nobody else to read."""
        header = self._header() | {"holds": HOLDS, "tuned": self._learning is not None}
        tensors = {
            "places": np.array(self._places[-MOST:], dtype=np.int32),
            "chances": np.array(self._chances[-MOST:], dtype=np.float64),
        }
        if self._mixture:
            tensors |= self._mixture.learned()
        if self._learning is not None:
            assert isinstance(self.model, LanguageModel)
            tensors |= self.model.named_parameters()
        target = Path(path)
        if target.exists():
            os.chmod(target, 0o600)  # what takes its place keeps its mode
        write_atomically(target, to_bytes(header, tensors, KIND), mask=0o600)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Load a saved file. Raises InputError if it is for another model or alphabet, ModelFileError if damaged."""
        header, tensors = read(str(path), KIND)
        expected = self._header()
        wrong = next((key for key in expected if header.get(key) != expected[key]), None)
        if wrong:
            raise InputError(f"{path} was learned with another {wrong}; give that one, or another file")
        try:
            places, chances = tensors["places"].tolist(), tensors["chances"].tolist()
            if len(places) != len(chances) or not all(
                -1 <= place <= len(self._symbols) and 0 <= chance <= 1
                for place, chance in zip(places, chances, strict=True)
            ):
                raise ValueError("places and probabilities out of range")
            self.forget()
            line: tuple[list[int], list[float]] = [], []
            for place, chance in zip(places, chances, strict=True):
                if place < 0:
                    self.count(*line)
                    line = [], []
                    continue
                line[0].append(place)
                line[1].append(chance)
            if self._mixture and "mixing.kept" in tensors:
                self._mixture.restore(tensors)
            if header.get("tuned") and self.tune:
                self._restore(tensors)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(f"{path}: not what a typist saved: {' '.join(str(error).split())}") from None

    def _restore(self, tensors: dict[str, np.ndarray]) -> None:
        self.model = model = copy.deepcopy(trainable(self._trained))
        for name, array in model.named_parameters().items():
            if tensors[name].shape != array.shape or not np.isfinite(tensors[name]).all():
                raise ValueError(f"{name} does not fit the model")
            array[...] = tensors[name]
        self._learning = Learning(model.network)

    def _header(self) -> dict[str, Any]:
        """The header in which a file must agree."""
        alphabet = hashlib.sha256(json.dumps(self._symbols).encode()).hexdigest()
        primed = {"primed": self._mixture.primed.checksum} if self._mixture else {}
        return {"model": self._trained.fingerprint(), "alphabet": alphabet} | primed
