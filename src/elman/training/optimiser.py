"""Optimiser: SGD, Adam, AdamW or Muon by a recipe: what it keeps between steps, and each update of the weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from ..kernels import Array, ModelWeights, Update
from ..parallel.group import Group
from ..parallel.slices import Owned, Piece, Slices
from ..recipes.recipe import Recipe


def by_muon(network: ModelWeights, recipe: Recipe) -> list[bool]:
    """Which of `network.weights()` Muon updates."""
    return network.matrices() if recipe.optimizer == "muon" else [False] * len(network.weights())


class Optimiser:
    """The state of an optimiser; `kernels` does the arithmetic, so an update has the same bits everywhere.

    Args:
        slices: the processes' parts of the weights. This one keeps state for its own part alone, and the first one gets
            the rest by `gather`. None: this process updates all.
    """

    def __init__(self, network: ModelWeights, recipe: Recipe, slices: Slices | None = None, rank: int = 0) -> None:
        self.recipe, self.steps, self._weights = recipe, 0, network.weights()
        self.muon, self._slices = by_muon(network, recipe), slices
        self._owned = slices.owned[rank] if slices else self._all()
        self._kept = self._layout(self._owned)
        self.exp_avg, self.exp_avg_sq, self.average = (
            [np.zeros(piece.size, dtype=np.float32) for piece in kept] for kept in self._kept.values()
        )
        for piece, average in zip(self._kept["average"], self.average, strict=True):
            average[...] = piece.of(self._weights)
        self._whole: dict[str, list[Array]] = self._own() if slices is None else {}
        """The state of all processes, weight by weight, as the last `gather` brought it to the first one."""

    def _own(self) -> dict[str, list[Array]]:
        return {"exp_avg": self.exp_avg, "exp_avg_sq": self.exp_avg_sq, "average": self.average}

    def _all(self) -> Owned:
        pieces = tuple(Piece(i, 0, w.size) for i, w in enumerate(self._weights))
        return Owned(((0, 0), (0, sum(piece.size for piece in pieces))), ((), pieces), (), ())

    def _layout(self, owned: Owned) -> dict[str, list[Piece]]:
        """Which pieces a process keeps state for, by the state's name."""
        adam = [] if self.recipe.optimizer == "sgd" else list(owned.updated)
        squares = [Piece(p.weight, p.start, p.start) if self.muon[p.weight] else p for p in adam]
        return {"exp_avg": adam, "exp_avg_sq": squares, "average": list(owned.slice) if self.recipe.average else []}

    def next(self, lr: float) -> Update:
        """The update of the next step; `done` says that it was made."""
        r, step = self.recipe, self.steps + 1
        return Update(
            lr,
            r.clip,
            self.exp_avg,
            self.exp_avg_sq,
            step,
            r.weight_decay if r.optimizer in ("adamw", "muon") else 0.0,
            muon=self.muon if r.optimizer == "muon" else (),
            average=self.average,
            # The first weights are soon forgotten; later ones for the recipe's share.
            average_keep=min(r.average, (1.0 + step) / (10.0 + step)),
        )

    def done(self) -> None:
        self.steps += 1

    def gather(self, group: Group) -> None:
        """Bring the state of all processes to the first one, for `tensors` and `averaged`. Called by all of them."""
        if self._slices is None:
            return
        layouts = [self._layout(owned) for owned in self._slices.owned]
        lengths = [sum(piece.size for kept in layout.values() for piece in kept) for layout in layouts]
        mine = np.concatenate([np.zeros(0, dtype=np.float32), *(a for arrays in self._own().values() for a in arrays)])
        nothing = mine[:0]
        parts = [mine] + [nothing] * (group.size - 1)
        got = group.exchange(parts, lengths if group.rank == 0 else [0] * group.size)()
        if group.rank:
            return
        self._whole = {
            name: [np.zeros(size, dtype=np.float32) for size in sizes] for name, sizes in self._sizes().items()
        }
        for layout, data in zip(layouts, got, strict=True):
            at = 0
            for name, kept in layout.items():
                for piece in kept:
                    self._whole[name][piece.weight][piece.start : piece.stop] = data[at : at + piece.size]
                    at += piece.size

    def _sizes(self) -> dict[str, list[int]]:
        """State of all processes, weight by weight."""
        return {name: [piece.size for piece in kept] for name, kept in self._layout(self._all()).items()}

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The model's arrays hold the averages meanwhile, if there are any; of several processes, the first one's."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def settle(self, group: Group) -> None:
        """The averages become the weights, for good. Called by all processes."""
        if self._slices is None:
            self._swap()
        elif self.average:
            mine = np.concatenate(self.average)
            for owned, part in zip(
                self._slices.owned,
                group.exchange([mine] * group.size, [sum(owned.lengths) for owned in self._slices.owned])(),
                strict=True,
            ):
                at = 0
                for piece in owned.slice:
                    piece.of(self._weights)[...] = part[at : at + piece.size]
                    at += piece.size
        self.average, self._whole["average"] = [], []

    def _swap(self) -> None:
        averages = self._whole.get("average", [])
        for weight, average in zip(self._weights if averages else (), averages, strict=True):
            live = weight.reshape(-1).copy()
            weight[...] = average.reshape(weight.shape)
            average[...] = live

    def tensors(self) -> dict[str, Array]:
        """All that is kept, by name."""
        return {f"{name}.{i}": array for name, arrays in self._whole.items() for i, array in enumerate(arrays)}

    def restore(self, steps: int, tensors: dict[str, Array]) -> None:
        """Go on from what `tensors` gave. Raises KeyError or ValueError where they are another recipe's."""
        self.steps = steps
        for name, sizes in self._sizes().items():
            for i, size in enumerate(sizes):
                if tensors[f"{name}.{i}"].shape != (size,):
                    raise ValueError(f"{name}.{i} is {tensors[f'{name}.{i}'].shape}; expected {(size,)}")
        for name, arrays in self._own().items():
            for piece, array in zip(self._kept[name], arrays, strict=True):
                array[...] = tensors[f"{name}.{piece.weight}"][piece.start : piece.stop]
