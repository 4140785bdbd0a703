"""Recipes as TOML: those that come with the package, by name, and files."""

from __future__ import annotations

import dataclasses
import itertools
import json
import tomllib
from importlib import resources
from pathlib import Path

from .. import given
from ..errors import InputError
from .recipe import Recipe, is_whole


def recipe_names() -> list[str]:
    """The packaged recipes."""
    folder = resources.files("elman.recipes")
    return sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))


def to_toml(recipe: Recipe) -> str:
    """Every setting, as a file that `load_recipe` reads."""
    lines = []
    for field in dataclasses.fields(recipe):
        value = getattr(recipe, field.name)
        value = False if value is None else list(value) if isinstance(value, tuple) else value
        lines.append(f"{field.name} = {json.dumps(value, ensure_ascii=False)}\n")
    return "".join(lines)


def purpose(name: str) -> str:
    """Purpose of a packaged recipe: the first sentence of its file."""
    comment = itertools.takewhile(lambda line: line.startswith("#"), _packaged(name).splitlines())
    return " ".join(line.removeprefix("#").strip() for line in comment).partition(". ")[0].rstrip(".") + "."


def _packaged(name: str) -> str:
    return (resources.files("elman.recipes") / f"{name}.toml").read_text("utf-8")


def load_recipe(name_or_path: str | Path) -> Recipe:
    """A packaged recipe by name ("book"), or one from a TOML file; what the file leaves out is the book's.

    Raises:
        InputError: no such recipe or file, not TOML, an unknown setting, or a value of the wrong type or range.
    """
    name = str(given.path("recipe", name_or_path))
    if name in recipe_names():
        source = _packaged(name)
    else:
        try:
            source = Path(name).read_text("utf-8")
        except OSError as error:
            raise InputError(
                f"no recipe {name!r}: not one of {', '.join(recipe_names())}, and as a file: {error.strerror}"
            ) from None
        except UnicodeDecodeError as error:
            raise InputError(f"recipe {name}: not UTF-8 text (byte {error.start})") from None
    try:
        settings = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"recipe {name}: not TOML: {error}") from None
    can_be_off = {field.name for field in dataclasses.fields(Recipe) if field.metadata["can_be_off"]}
    for key, value in settings.items():
        if key in can_be_off and value is False:  # TOML has no null
            settings[key] = None
            continue
        default = getattr(Recipe(), key, None)
        if isinstance(default, float) and is_whole(value):
            settings[key] = float(value)
        elif default is not None and not isinstance(value, list if isinstance(default, tuple) else type(default)):
            raise InputError(f"recipe {name}: {key} must be {type(default).__name__}, got {value!r}")
    try:
        return Recipe().replace(**settings)
    except (ValueError, TypeError) as error:
        raise InputError(f"recipe {name}: {error}") from None
