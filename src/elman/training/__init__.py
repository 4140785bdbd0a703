"""Training: recipes, what an epoch sees, and the loop."""

from __future__ import annotations

from .build import build_model
from .checkpoint import Checkpoint, read_checkpoint
from .loop import fit, resume
from .recipe import Recipe, load_recipe, recipe_names
from .run import Epoch, Run, Step

__all__ = [
    "Checkpoint",
    "Epoch",
    "Recipe",
    "Run",
    "Step",
    "build_model",
    "fit",
    "load_recipe",
    "read_checkpoint",
    "recipe_names",
    "resume",
]
