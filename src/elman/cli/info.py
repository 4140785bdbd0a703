"""`elman info`, `elman corpora` and `elman recipes`: what there is."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..visible import visible
from .shared.console import Json, ModelPath, load_model, out, print_rows, write_json


def info(model: ModelPath, json_: Json = False) -> None:
    """Show what a model file holds, and which backend serves it here.

    Example: elman info runs/story
    """
    from ..model import read_header

    header, loaded = read_header(model), load_model(model)
    vocabulary, (backend, why) = header.pop("vocabulary"), loaded.serving()
    facts = {
        **{k: v for k, v in header.items() if k != "run"},
        **_ngrams(loaded, header, json_),
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
    rows: list[tuple[str, str]] = []
    for heading, part in {"the model": facts, "its training": run, **objects}.items():
        if part:
            rows += [("", "")] if rows else []
            rows.append((_HEADINGS.get(heading) or heading, ""))
        for name, value in part.items():
            if value != []:
                rows.append((f"  {name}", _readable(value)))
    print_rows(rows)


def _ngrams(loaded: Any, header: dict[str, Any], as_json: bool) -> dict[str, Any]:
    """A line about the model's n-grams, if it has any."""
    if "ngrams" not in header or as_json:
        return {}
    size = sum(array.nbytes for array in loaded.ngrams.to_arrays().values())
    return {"ngrams": f"{len(loaded.ngrams):,} of up to {loaded.ngrams.longest} tokens, {size:,} bytes"}


_HEADINGS = {
    "corpus": "its training text",
    "recipe": "its recipe",
    "ngrams": "with its n-grams, on the held-out part",
}


def _readable(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, int) and abs(value) >= 10_000:
        return f"{value:,}"
    if isinstance(value, list):
        return ", ".join(map(_readable, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def corpora(json_: Json = False) -> None:
    """List the named corpora.

    Example: elman corpora
    """
    from ..corpora import corpora as known

    if json_:
        write_json(known())
        return
    print_rows([(c["name"], c["what"], c["where"] or "to be downloaded") for c in known()], "name", "what", "where")


def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Delete these files, and no others.")] = False,
    json_: Json = False,
) -> None:
    """Show the cache and its size, or clear it.

    It holds downloaded corpora, and the ids of large texts.

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
    """List the packaged recipes, or print all settings of one.

    Examples: elman recipes;  elman recipes records > mine.toml
    """
    from ..recipes.toml import load_recipe, purpose, recipe_names, to_toml

    if name is not None:
        print(to_toml(load_recipe(name)), end="")
        return
    print_rows([(known, purpose(known)) for known in recipe_names()])
