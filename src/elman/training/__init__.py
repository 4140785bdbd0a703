"""Training: recipes, what an epoch sees, and the loop. Imported when first used: a recipe alone needs no loop."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .build import build_model
    from .checkpoint import Checkpoint, read_checkpoint
    from .coder import TrainedCoder, train_coder
    from .loop import fit, resume
    from .recipe import Recipe, load_recipe, recipe_names
    from .run import Epoch, Run, Step

__all__ = [
    "Checkpoint",
    "Epoch",
    "Recipe",
    "Run",
    "Step",
    "TrainedCoder",
    "build_model",
    "fit",
    "load_recipe",
    "read_checkpoint",
    "recipe_names",
    "resume",
    "train_coder",
]
_HOME = {"build_model": "build", "fit": "loop", "resume": "loop", "Epoch": "run", "Run": "run", "Step": "run"}
_HOME |= {"TrainedCoder": "coder", "train_coder": "coder"}
_HOME |= {"Checkpoint": "checkpoint", "read_checkpoint": "checkpoint"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME.get(name, 'recipe')}", __name__), name)
