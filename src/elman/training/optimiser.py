"""Optimiser: SGD, Adam or AdamW by a recipe."""

from __future__ import annotations

import torch

from .. import kernels
from ..errors import InputError
from ..model import LanguageModel
from .recipe import Recipe


class Optimiser:
    """SGD, Adam or AdamW through `kernels`, so that an update has the same bits everywhere."""

    def __init__(self, model: LanguageModel, recipe: Recipe) -> None:
        params = list(model.parameters())
        self.free = [i for i, p in enumerate(params) if p.requires_grad]
        """Indices of the parameters that are trained; the rest are frozen."""
        if not self.free:
            raise InputError("every parameter is frozen, so there is nothing to train; set requires_grad on some")
        self.params = [params[i] for i in self.free]
        self.recipe, self.steps = recipe, 0
        if recipe.optimizer != "sgd":
            self.exp_avg = [torch.zeros_like(p) for p in self.params]
            self.exp_avg_sq = [torch.zeros_like(p) for p in self.params]

    @torch.no_grad()
    def step(self, grads: list[torch.Tensor], norm: float) -> None:
        """Update, with the gradients of all parameters scaled down to the clipping norm if `norm`, which is theirs, is
        above it."""
        clip, grads = self.recipe.clip, [grads[i] for i in self.free]
        scale = clip / norm if clip is not None and norm > clip else 1.0
        self.steps += 1
        if self.recipe.optimizer == "sgd":
            kernels.sgd_(self.params, grads, self.recipe.lr, scale)
            return
        decay = self.recipe.weight_decay if self.recipe.optimizer == "adamw" else 0.0
        kernels.adamw_(
            self.params,
            grads,
            self.exp_avg,
            self.exp_avg_sq,
            self.steps,
            self.recipe.lr,
            weight_decay=decay,
            scale=scale,
        )
