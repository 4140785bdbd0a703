"""`elman info`, `elman corpora` and `elman recipes`: what there is."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from ..text import visible
from .shared.console import Json, ModelPath, load_model, out, write_json


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
    run = dict(header["run"])
    objects = {name: run.pop(name) for name, value in header["run"].items() if isinstance(value, dict)}
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for heading, part in {"the model": facts, "its training": run, **objects}.items():
        if part:
            table.add_row(f"\n{_HEADINGS.get(heading, heading)}" if table.rows else heading, "")
        for name, value in part.items():
            if value != []:
                table.add_row(f"  {name}", _readable(value))
    if not out.is_terminal:
        out.width = 10_000  # a line for each fact, for a program to read
    out.print(table)


_HEADINGS = {"corpus": "its training text", "recipe": "its recipe"}


def _readable(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, int) and abs(value) >= 10_000:
        return f"{value:,}"
    if isinstance(value, list):
        return ", ".join(map(_readable, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


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


def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Delete these files, and no others.")] = False,
    json_: Json = False,
) -> None:
    """Where the cache is and how large: downloaded corpora, and ids of large texts.

    Example: elman cache --clear
    """
    from ..corpora import cache as folder
    from ..corpora import cached_files

    files, size = cached_files(), 0
    for file in files:
        try:
            taken = file.stat().st_size
            if clear:
                file.unlink()
            size += taken
        except FileNotFoundError:  # another process was faster
            continue
    facts = {"folder": str(folder()), "files": len(files), "bytes": size, "cleared": clear}
    if json_:
        write_json(facts)
        return
    count = f"{len(files):,} file{'' if len(files) == 1 else 's'}, {size:,} bytes"
    out.print(f"{visible(facts['folder'])}: {count}{', deleted' if clear else ''}")


def recipes(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Print this one as TOML, which --recipe takes.")
    ] = None,
) -> None:
    """The packaged recipes and what they are for, or all settings of one.

    Examples: elman recipes;  elman recipes records > mine.toml
    """
    from ..recipes.recipe import load_recipe, purpose, recipe_names, to_toml

    if name is not None:
        print(to_toml(load_recipe(name)), end="")
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    for known in recipe_names():
        table.add_row(known, purpose(known))
    if not out.is_terminal:
        out.width = 10_000  # a line for each
    out.print(table)
