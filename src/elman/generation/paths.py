"""Paths: the ways in which a text can be cut into tokens, each with its weight and the model's state after it.

The probability of a text is the sum over all sequences of tokens that spell it. What has been typed so far ends within
a token that is not known yet: a path is the tokens before it and the bytes of it. A model of characters has one path. A
model of subwords has several within a word, of which only the heaviest are kept, and again few at its end.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from .. import kernels
from ..kernels import State
from ..model import Model
from .tokens import Tokens

_SPLIT = 0.1  # of `least`, below which no token is looked for that ends within a symbol


@dataclass(eq=False)
class Path:
    """One way to cut what was typed into tokens. Nothing changes it but `after`, which is a cache."""

    weight: float
    """Its share of the probability of all paths."""
    state: State
    """(L, 1, H) each, after its whole tokens."""
    below: np.ndarray
    """float64 (N + 1,): sums of the probabilities of the next token, in the order of `Tokens`."""
    pending: bytes = b""
    """The begin of a token that is not whole yet."""
    after: MutableMapping[int, Path] = field(default_factory=dict)
    """Paths of one more token, of weight 1, by its id; shared by all paths of this state. Weak for the begin of a text,
    which stays: all that was ever typed would hang on it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path, (self.weight, self.state, self.below, self.pending)


class Paths:
    """Steps from paths to paths under one model.

    Args:
        most: paths kept after each byte; None: all, which makes the sums exact.
        least: share of the weight below which a path is dropped.
    """

    def __init__(self, model: Model, tokens: Tokens, most: int | None = 8, least: float = 1e-4) -> None:
        self.tokens, self._most = tokens, most
        self.use(model)
        self._least = 0.0 if most is None else least

    def use(self, model: Model) -> None:
        """Step under `model`, with its weights as they are now, from the next begin of a text on."""
        self.model, self._decoder = model, model.decoder(1)
        start = np.array([[model.reading.start]], dtype=np.int64)
        self._first = self._read(start, self._decoder.state)[0]
        self._first.after = WeakValueDictionary()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_decoder"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _decoder=state["model"].decoder(1))
        self._first.after = WeakValueDictionary()

    def begin(self) -> tuple[Path, ...]:
        """Before any text."""
        return (self._first,)

    def read(self, ids: np.ndarray) -> tuple[Path, ...]:
        """The one path of the tokens int64 (T,), from the begin of a text."""
        if not len(ids):
            return self.begin()
        return tuple(self._read(self.model.reading.primed(ids)[:, None], self.model.decoder(1).state))

    def masses(self, paths: Sequence[Path]) -> np.ndarray:
        """float64 (A,): the probability that each symbol of `tokens` is next."""
        masses = np.zeros(len(self.tokens.ranges(b"")[0]))
        for path in paths:
            low, high = self.tokens.ranges(path.pending)
            masses += path.weight * (path.below[high] - path.below[low])
            for first, symbols in self.tokens.long.items():
                low_first, high_first = self.tokens.range(path.pending + first)
                if path.weight * (path.below[high_first] - path.below[low_first]) > self._least * _SPLIT:
                    for place, symbol in symbols:
                        masses[place] += path.weight * self._split(path, symbol, path.weight)
        return masses

    def enter(self, paths: Sequence[Path], symbol: bytes) -> tuple[Path, ...]:
        """The paths after a symbol; empty if no token spells it."""
        steps = [symbol] if self.tokens.whole else [symbol[i : i + 1] for i in range(len(symbol))]
        for step in steps:
            paths = self._step(paths, step)
        return tuple(paths)

    def unknown(self, paths: Sequence[Path]) -> tuple[Path, ...]:
        """The paths after a character that the vocabulary lacks: <unk> is read."""
        heaviest = max(paths, key=lambda path: path.weight)
        return (self._read(np.zeros((1, 1), dtype=np.int64), heaviest.state)[0],)

    def _step(self, paths: Sequence[Path], step: bytes) -> list[Path]:
        found: list[tuple[float, Path, int | None, bytes]] = []
        for path in paths:
            begun = path.pending + step
            low, high = self.tokens.range(begun)
            whole = self.tokens.id(begun)
            longer = path.below[high] - path.below[low + (whole is not None)]  # the token itself is the first of them
            if longer > 0:
                found.append((path.weight * longer, path, None, begun))
            if whole is not None:
                found.append((path.weight * (path.below[low + 1] - path.below[low]), path, whole, b""))
        total = sum(mass for mass, *_ in found)
        if not total > 0:
            return []
        found.sort(key=lambda each: -each[0])
        kept = [each for each in found[: self._most] if each[0] >= self._least * total]
        grown = iter(self._extend([(path, token) for _, path, token, _ in kept if token is not None]))
        made = []
        for mass, path, token, begun in kept:
            if token is None:
                made.append(Path(path.weight / total, path.state, path.below, begun, path.after))
            else:
                longer = next(grown)
                made.append(Path(mass / total, longer.state, longer.below, b"", longer.after))
        return made

    def _split(self, path: Path, symbol: bytes, share: float) -> float:
        """The probability that a token ends within `symbol`, and that others spell the rest."""
        total = 0.0
        for cut in range(1, len(symbol)):
            begun, rest = path.pending + symbol[:cut], symbol[cut:]
            token = self.tokens.id(begun)
            if token is None:
                continue
            low, _ = self.tokens.range(begun)
            p = float(path.below[low + 1] - path.below[low])
            if p * share <= self._least * _SPLIT:
                continue
            (longer,) = self._extend([(path, token)])
            first, last = self.tokens.range(rest)
            total += p * (float(longer.below[last] - longer.below[first]) + self._split(longer, rest, share * p))
        return total

    def _extend(self, wanted: Sequence[tuple[Path, int]]) -> list[Path]:
        """The path of each token after its path. Those that were not read before are, all side by side."""
        found = {(id(path.after), token): path.after.get(token) for path, token in wanted}
        new = {key: pair for pair in wanted if found[key := (id(pair[0].after), pair[1])] is None}
        if new:
            ids = np.array([[token for _, token in new.values()]], dtype=np.int64)
            parts = zip(*(path.state for path, _ in new.values()), strict=True)
            state = tuple(np.concatenate(part, axis=1) for part in parts)
            for (key, (path, token)), longer in zip(new.items(), self._read(ids, state), strict=True):
                found[key] = path.after[token] = longer
        return [longer for path, token in wanted if (longer := found[id(path.after), token])]

    def _read(self, ids: np.ndarray, state: State) -> list[Path]:
        decoder = self._decoder.like(state, np.zeros((ids.shape[1], self.model.vocab_size), dtype=np.float32))
        decoder.read(ids)
        likely = np.asarray(self.model.log_softmax(decoder.logits), dtype=np.float32)
        below = np.zeros((len(likely), len(self.tokens.order) + 1))
        np.cumsum(kernels.exp(likely)[:, self.tokens.order], axis=1, dtype=np.float64, out=below[:, 1:])
        return [
            Path(1.0, tuple(part[:, row : row + 1] for part in decoder.state), below[row]) for row in range(len(likely))
        ]
