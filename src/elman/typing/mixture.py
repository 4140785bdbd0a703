"""Mixture: a network's distribution over an alphabet and primed n-grams', with weights that learn."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..kernels import Array
from .primed import SURE, Primed

_MEMORY = 4000.0  # places that a learning weight remembers; then it forgets half
_PRIOR = 400.0  # places that the trained weight counts for


class Mixture:
    """A network's distribution over an alphabet and n-grams', mixed; weights learn from what came."""

    def __init__(self, primed: Primed, alphabet: str) -> None:
        self.primed = primed
        places = {symbol: number for number, symbol in enumerate(primed.symbols)}
        self.numbers = [places.get(symbol, -1) for symbol in alphabet]
        """The n-grams' number of each symbol, or -1."""
        self._columns = np.array([number if number >= 0 else len(primed.symbols) for number in self.numbers])
        self.forget()

    def forget(self) -> None:
        """The weights are the trained ones."""
        self._kept, self._all = self.primed.weights * _PRIOR, np.full(self.primed.weights.shape, _PRIOR)

    def mark(self) -> None:
        """Count what `moved` gives from here on."""
        self._marked = self._kept.copy(), self._all.copy()

    def moved(self) -> tuple[Array, Array]:
        """The change since `mark`."""
        return self._kept - self._marked[0], self._all - self._marked[1]

    def move(self, by: tuple[Array, Array]) -> None:
        """Add what another mixture's `moved` gave."""
        self._all = np.maximum(self._all + by[1], 2.0)
        self._kept = np.clip(self._kept + by[0], 1e-3, self._all - 1e-3)

    def learned(self) -> dict[str, Array]:
        """Tensors for a file."""
        return {"mixing.kept": self._kept, "mixing.all": self._all}

    def restore(self, tensors: dict[str, Array]) -> None:
        """Begin with tensors that `learned` gave. Raises ValueError if it is something else."""
        kept, all_ = (tensors[name] for name in ("mixing.kept", "mixing.all"))
        for each in (kept, all_):
            if each.shape != self._all.shape or each.dtype != np.float64 or not np.isfinite(each).all():
                raise ValueError("weights of a mixture that are none")
        if not ((kept > 0) & (kept <= all_)).all():
            raise ValueError("weights of a mixture out of range")
        self._kept, self._all = kept.copy(), all_.copy()

    def followed(self, nodes: Sequence[int], symbol: str, place: int) -> list[int]:
        """The n-grams' contexts after `symbol`, at `place` of the alphabet, or out of it."""
        if symbol == "\n":
            return self.primed.begin()
        return self.primed.followed(nodes, self.numbers[place] if place < len(self.numbers) else -1)

    def parts(self, p: Array, nodes: Sequence[int]) -> tuple[Array, tuple[int, int, int]]:
        """The n-grams' distribution (A,) over the alphabet, and the class of its weight beside the network's p (A,)."""
        own = self.primed.probabilities(nodes)[self._columns]
        own /= own.sum()
        return own, (*self.primed.kind(nodes), int(np.searchsorted(SURE, p.max(), "right")))

    def mixed(self, p: Array, nodes: Sequence[int]) -> Array:
        """(A,): the mixture."""
        own, kind = self.parts(p, nodes)
        w = self._kept[kind] / self._all[kind]
        return w * p + (1 - w) * own

    def learn(self, p: Array, nodes: Sequence[int], place: int) -> None:
        """Take `place` as what came: a step of expectation-maximisation for its weight."""
        own, kind = self.parts(p, nodes)
        w = self._kept[kind] / self._all[kind]
        mine = w * p[place]
        self._kept[kind] += mine / (mine + (1 - w) * own[place]) if mine > 0 else 0.0
        self._all[kind] += 1
        if self._all[kind] > _MEMORY:
            self._kept[kind] /= 2
            self._all[kind] /= 2


def fitted(network: Array, ngrams: Array, kinds: Array, shape: tuple[int, ...]) -> Array:
    """float64 `shape`: the weights under which a text has the most probability, of whose symbols the network says
    `network` (N,) and the n-grams `ngrams` (N,), and whose weights are of the classes `kinds` (N, len(shape))."""
    classes, size = np.ravel_multi_index(tuple(kinds.T), shape), math.prod(shape)
    w = np.full(size, 0.6)
    for _ in range(30):
        mine = w[classes] * network
        share = mine / np.maximum(mine + (1 - w[classes]) * ngrams, 1e-30)
        w = (np.bincount(classes, share, size) + 0.6 * 8) / (np.bincount(classes, minlength=size) + 8)
    return w.reshape(shape)
