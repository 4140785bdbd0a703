"""Training: recipes, what an epoch sees, and the loop."""

from __future__ import annotations

from .loop import Epoch, Run, Step, build_model, fit
from .recipe import Recipe, load_recipe, recipe_names

__all__ = ["Epoch", "Recipe", "Run", "Step", "build_model", "fit", "load_recipe", "recipe_names"]
