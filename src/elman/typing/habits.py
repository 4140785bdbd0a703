"""Habits: what a typist has learned from its writer, and the file that keeps it.

Counts of what followed the last symbols are mixed into the model's distribution, as `elman score --adaptive` mixes them
over tokens; and the network of a float model can take steps of training. Both begin with nothing learned.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, ModelFileError
from ..files import staged
from ..locks import held
from ..model import Model, trainable
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
        self._in_file()
        self._known = b""

    def _in_file(self) -> None:
        """All that was learned is in the file now."""
        self._fresh: list[tuple[list[int], list[float], np.ndarray]] = []
        if self._mixture:
            self._mixture.mark()

    @property
    def size(self) -> int:
        """Symbols that were learned."""
        return len(self._places)

    def begin(self) -> list[int]:
        """The n-grams' contexts at the begin of a line."""
        return [0, len(self._symbols)]

    def learn(self, places: list[int], chances: list[float], ids: np.ndarray) -> None:
        """Learn a line.

        Args:
            places: of each symbol in the alphabet; the alphabet's size for another symbol.
            chances: the probability that the model gave each.
            ids: the line's tokens, int64 (T,), for the network.
        """
        self._fresh.append((places, chances, ids))
        self._count(places, chances)
        self._train(ids)

    def _count(self, places: list[int], chances: list[float]) -> None:
        self.ngrams.restart(len(self._symbols))
        for place, chance in zip(places, chances, strict=True):
            self.ngrams.mix(place, chance)
        self._places += [*places, -1]
        self._chances += [*chances, 0.0]

    def _train(self, ids: np.ndarray) -> None:
        """Steps of training on the tokens of a line, which are primed here."""
        if not self.tune:
            return
        if self._learning is None:
            self.model = copy.deepcopy(self._trained)
            self._learning = Learning(trainable(self.model).network)
        ids = self.model.reading.primed(ids)
        self._learning.restart()
        for first in range(0, len(ids) - 1, STEPS):
            self._learning.read(ids[first : first + STEPS + 1])

    def save(self, path: Path) -> None:
        """Write what was learned, for nobody else to read. What another process wrote meanwhile stays, and what it
        made forget is forgotten."""
        while True:
            with held_file(path) as there:
                if there or self._known:
                    self._meet(path if there else None)
                try:
                    data = to_bytes(*self._content(), KIND)
                    with staged(path, replace=there, mask=0o600) as file:
                        file.write(data)
                except FileExistsError:
                    if there:
                        raise
                    continue  # another process was faster: its file is read first
                self._in_file()
                self._known = hashlib.sha256(data).digest()
                return

    def remove(self, path: Path | None) -> None:
        """Forget, and remove the file."""
        if path is not None:
            with held_file(path) as there:
                if there:
                    path.unlink()
        self.forget()

    def _meet(self, path: Path | None) -> None:
        """Begin with the file as another process left it, and learn again what is not in it. None: it was removed."""
        if path is not None and hashlib.sha256(path.read_bytes()).digest() == self._known:
            return
        fresh, moved = self._fresh, self._mixture.moved() if self._mixture else None
        if path is None:
            self.forget()
        else:
            self.load(path)
        for line in fresh:
            self.learn(*line)
        if self._mixture and moved:
            self._mixture.move(moved)

    def _content(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        header = self._header() | {"holds": HOLDS, "tuned": self._learning is not None}
        tensors = {
            "places": np.array(self._places[-MOST:], dtype=np.int32),
            "chances": np.array(self._chances[-MOST:], dtype=np.float64),
        }
        if self._mixture:
            tensors |= self._mixture.learned()
        if self._learning is not None:
            tensors |= trainable(self.model).named_parameters()
        return header, tensors

    def load(self, path: str | os.PathLike[str]) -> None:
        """Load a saved file. Raises InputError if it is for another model or alphabet, ModelFileError if damaged."""
        digest = hashlib.sha256(Path(path).read_bytes()).digest() if Path(path).is_file() else b""
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
                    self._count(*line)
                    line = [], []
                    continue
                line[0].append(place)
                line[1].append(chance)
            if self._mixture and "mixing.kept" in tensors:
                self._mixture.restore(tensors)
            if header.get("tuned") and self.tune:
                self._restore(tensors)
            self._in_file()
            self._known = digest
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(f"{path}: not what a typist saved: {' '.join(str(error).split())}") from None

    def _restore(self, tensors: dict[str, np.ndarray]) -> None:
        self.model = copy.deepcopy(self._trained)
        model = trainable(self.model)
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


@contextmanager
def held_file(path: Path) -> Iterator[bool]:
    """Hold the file at `path`, which is nobody else's to read from here on; the value says whether there is one."""
    with ExitStack() as holding:
        there = True
        try:
            holding.enter_context(held(path, required=False))
            os.chmod(path, 0o600)  # what takes its place keeps its mode
        except FileNotFoundError:
            there = False
        yield there
