"""Optimiser: SGD, Adam, AdamW or Muon by a recipe: what it keeps between steps, and each update of the weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from ..kernels import Array, ModelWeights, Update
from ..recipes.recipe import Recipe


class Optimiser:
    """The state of an optimiser; `kernels` does the arithmetic, so that an update has the same bits everywhere."""

    def __init__(self, network: ModelWeights, recipe: Recipe) -> None:
        self.recipe, self.steps, self._weights = recipe, 0, network.weights()
        self.muon = network.matrices() if recipe.optimizer == "muon" else [False] * len(self._weights)
        sizes = [] if recipe.optimizer == "sgd" else [w.size for w in self._weights]
        self.exp_avg = [np.zeros(size, dtype=np.float32) for size in sizes]
        self.exp_avg_sq = [
            np.zeros(0 if muon else size, dtype=np.float32) for size, muon in zip(sizes, self.muon, strict=False)
        ]
        self.average = [w.reshape(-1).copy() for w in self._weights] if recipe.average else []

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

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The model's arrays hold the averages meanwhile, if there are any."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def settle(self) -> None:
        """The averages become the weights, for good."""
        self._swap()
        self.average = []

    def _swap(self) -> None:
        for weight, average in zip(self._weights if self.average else (), self.average, strict=True):
            live = weight.reshape(-1).copy()
            weight[...] = average.reshape(weight.shape)
            average[...] = live

    def tensors(self) -> dict[str, Array]:
        """All that it keeps, by name."""
        lists = {"exp_avg": self.exp_avg, "exp_avg_sq": self.exp_avg_sq, "average": self.average}
        return {f"{name}.{i}": array for name, arrays in lists.items() for i, array in enumerate(arrays)}

    def restore(self, steps: int, tensors: dict[str, Array]) -> None:
        """Go on from what `tensors` gave. Raises KeyError or ValueError where they are another recipe's."""
        self.steps = steps
        for name, array in self.tensors().items():
            if tensors[name].shape != array.shape:
                raise ValueError(f"{name} is {tensors[name].shape}; expected {array.shape}")
            array[...] = tensors[name]
