"""Optimiser: SGD, Adam or AdamW by a recipe: what it keeps between steps, and how the next one changes the weights."""

from __future__ import annotations

import numpy as np

from ..kernels import Network, Update
from .recipe import Recipe


class Optimiser:
    """The state of an optimiser; `kernels` does the arithmetic, so that an update has the same bits everywhere."""

    def __init__(self, network: Network, recipe: Recipe) -> None:
        self.recipe, self.steps = recipe, 0
        averaged = [] if recipe.optimizer == "sgd" else network.weights()
        self.exp_avg = [np.zeros(w.size, dtype=np.float32) for w in averaged]
        self.exp_avg_sq = [np.zeros(w.size, dtype=np.float32) for w in averaged]

    def next(self) -> Update:
        """The update of the next step."""
        self.steps += 1
        r = self.recipe
        decay = r.weight_decay if r.optimizer == "adamw" else 0.0
        return Update(r.lr, r.clip, self.exp_avg, self.exp_avg_sq, self.steps, decay)
