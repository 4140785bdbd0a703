"""The options of `elman train` that a Recipe has: made from its fields, so they cannot drift from it."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from ...recipes.recipe import Recipe

_PANELS = {
    "normalisation": "The text",
    "cell": "The model",
    "epochs": "The optimisation",
    "eval_every": "What is shown meanwhile",
}
"""Headings in the command's help: the first field of a group, and its heading."""


def with_recipe_options(command: Callable[..., None]) -> Callable[..., None]:
    """`command`, whose last parameter is `**settings`, with an option for each field of a Recipe in its place."""
    parameters = list(inspect.signature(command, eval_str=True).parameters.values())
    assert parameters[-1].kind is inspect.Parameter.VAR_KEYWORD

    def run(**values: Any) -> None:
        command(**values)

    options, panel = [], ""
    for field in dataclasses.fields(Recipe):
        panel = _PANELS.get(field.name, panel)
        options.append(_option(field, panel))
    run.__signature__ = inspect.Signature([*parameters[:-1], *options])  # type: ignore[attr-defined]
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run


def _option(field: dataclasses.Field[Any], panel: str) -> inspect.Parameter:
    kind, help = str(field.type), field.metadata["help"]
    name = field.metadata["option"] or field.name
    of = {"i": int, "f": float, "s": str}.get(kind[0], list[str])
    if field.metadata["can_be_off"]:
        help = help.replace("off:", "0:") if "off:" in help else f"{help.removesuffix('.')}; 0: all."
    name = f"--{name.replace('_', '-')}"
    american = [name.replace("isation", "ization")] if "isation" in name else []
    option = typer.Option(name, *american, help=help, rich_help_panel=panel)
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[of | None, option]
    )


def changes(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that were given, as Recipe.replace takes them."""
    given: dict[str, Any] = {}
    for field in dataclasses.fields(Recipe):
        value = settings.get(field.name)
        if value is None or (isinstance(value, Sequence) and not value):
            continue
        given[field.name] = None if field.metadata["can_be_off"] and value == 0 else value
    if given.get("cell") == "rnn":
        given["cell"] = "rnn_relu"
    return given
