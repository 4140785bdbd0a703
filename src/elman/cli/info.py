"""`elman info`, `elman corpora` and `elman recipes`: what there is."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer
from rich.table import Table

from .console import Json, ModelPath, load_model, out, write_json


def info(model: ModelPath, json_: Json = False) -> None:
    """What a model file holds, and which backend serves it here.

    Example: elman info runs/story
    """
    from ..model import read_header

    header, loaded = read_header(model), load_model(model)
    vocabulary, (backend, why) = header.pop("vocabulary"), loaded.serving()
    facts = {
        **{k: v for k, v in header.items() if k != "run"},
        "vocabulary": f"{loaded.vocab_size} {vocabulary['kind']}",
        "parameters": loaded.num_parameters,
        "digest": loaded.digest(),
        "fingerprint": loaded.fingerprint(),
        "backend": f"{backend} ({why})",
    }
    if json_:
        write_json(facts | {"symbols": vocabulary["symbols"], "run": header["run"]})
        return
    for name, value in [*facts.items(), *((f"run.{k}", v) for k, v in header["run"].items())]:
        out.print(f"{name:<22} {value}")


def corpora(json_: Json = False) -> None:
    """The corpora that have names.

    Example: elman corpora
    """
    from ..corpora import corpora as known

    if json_:
        write_json(known())
        return
    table = Table("name", "what", "where", box=None, pad_edge=False)
    for row in known():
        table.add_row(row["name"], row["what"], row["where"] or "to be downloaded")
    out.print(table)


def recipes(
    name: Annotated[str | None, typer.Argument(help="Show the settings of this one.")] = None,
) -> None:
    """The packaged recipes, or the settings of one.

    Example: elman recipes records
    """
    from ..training import load_recipe, recipe_names

    if name is None:
        out.print("\n".join(recipe_names()))
        return
    for key, value in dataclasses.asdict(load_recipe(name)).items():
        out.print(f"{key} = {value!r}")
