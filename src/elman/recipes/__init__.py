"""Recipes: what a training run is told to do; the packaged ones are the TOML files here. No I/O but TOML."""

from .recipe import Recipe
from .toml import load_recipe, recipe_names

__all__ = ["Recipe", "load_recipe", "recipe_names"]
