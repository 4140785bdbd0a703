"""Training: recipes, what an epoch sees, and the loop. Imported when first used: a recipe alone needs no loop."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .build import build_model
    from .loop import fit
    from .recipe import Recipe, load_recipe, recipe_names
    from .run import Epoch, Run, Step

__all__ = ["Epoch", "Recipe", "Run", "Step", "build_model", "fit", "load_recipe", "recipe_names"]
_HOME = {"build_model": "build", "fit": "loop", "Epoch": "run", "Run": "run", "Step": "run"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME.get(name, 'recipe')}", __name__), name)
