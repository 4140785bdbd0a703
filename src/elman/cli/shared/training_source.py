"""Sources of a training: its corpus, the model whose weights it takes, and the folder that it writes."""

from __future__ import annotations

import math
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import InputError
from ...visible import visible
from .console import err
from .inputs import mask_for
from .options import changes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...corpora import Corpus
    from ...model import LanguageModel
    from ...recipes import Recipe

_MAPPED_BYTES = 100_000_000  # a corpus this large stays on disk

IN_SUBWORDS = "in subwords; to learn characters, give --tokens chars"
"""A note for whoever did not ask for them."""


def be_as_private_as(*places: str | Path | None) -> None:
    """Hide this process's new files from whoever may not read these: a model remembers its text."""
    mask = mask_for(*places)
    os.umask(os.umask(0o077) | (0 if mask & 0o040 else 0o070) | (0 if mask & 0o004 else 0o007))


def load(places: list[str], recipe: Recipe, records: bool, how: dict[str, Any]) -> Corpus:
    """The corpus; with its ids on disk, if it is a large file or folder."""
    from ...corpora import load_corpus, load_mapped, size_on_disk

    most = math.inf if recipe.max_chars is None else recipe.max_chars
    if len(places) == 1 and not records and min(most, size_on_disk(places[0])) >= _MAPPED_BYTES:
        how = {name: how[name] for name in ("tokens", "encoding", "encoding_errors")}
        return load_mapped(places[0], recipe.max_chars, normalisation=recipe.normalisation, **how)
    with download_bar() as progress:
        return load_corpus(
            places if len(places) > 1 else places[0],
            recipe.max_chars,
            normalisation=recipe.normalisation,
            records=records,
            progress=progress,
            **how,
        )


def suited(text: Corpus, name: str, recipe: Recipe, given: dict[str, Any], free: bool) -> tuple[Corpus, str, Recipe]:
    """The text, its recipe's name and the recipe: in subwords where they suit it, and for its size.

    free: its tokens may be chosen; a model to start from has its own.
    """
    from ...recipes import load_recipe
    from ...training.choice import for_size, tokens_for

    if free and name == "modern" and "tokens" not in given and (tokens := tokens_for(text)) != "chars":
        name, text = "subwords", text.cut_into(tokens)
        recipe = load_recipe(name).replace(**given, tokens=tokens)
    return text, name, for_size(recipe, text, given)


def started(path: Path, recipe: Recipe, settings: dict[str, Any], records: bool) -> tuple[LanguageModel, Recipe]:
    """The model to start from, and the recipe, which says of the model what it is and not what was left to say."""
    from ...model import NgramModel, load, trainable

    loaded = load(path)
    if isinstance(loaded, NgramModel):
        err.print(f"elman: training starts from the network of {visible(str(path))}; --ngrams counts n-grams anew")
    model = trainable(loaded)
    layer, reading = model.layer, model.reading
    fixed = {"cell": layer.cell, "hidden_size": layer.hidden_size, "num_layers": layer.num_layers}
    fixed |= {"embedding_size": model.embedding_size, "networks": 1}
    fixed |= {"normalisation": reading.normalisation, "tokens": reading.vocabulary.setting}
    for name, value in changes(settings).items():
        if name in fixed and value != fixed[name]:
            raise InputError(f"{path} has {name} {fixed[name]}; leave out --{name.replace('_', '-')}, or --from")
    if records and not reading.records:
        raise InputError(f"{path} reads one text, not records; leave out --records, or --from")
    if settings["dropout"] is not None:
        layer.dropout = recipe.dropout
    return model, recipe.replace(**fixed, dropout=layer.dropout)


def run_folder(output: Path | None, corpus: str, overwrite: bool) -> Path:
    """The folder to write: the one asked for, if it is free, or runs/CORPUS, runs/CORPUS-2, ..."""
    if output is not None:
        from ...runs import RunFolder

        if not overwrite and RunFolder(output).holds_run():
            raise InputError(f"{output} holds a run already; give another --output, --overwrite, or --resume {output}")
        return output
    stem = Path("runs") / Path(corpus).stem
    number, folder = 1, stem
    stem.parent.mkdir(exist_ok=True)
    while not overwrite:
        try:
            folder.mkdir()  # claimed: a training that is started beside this one takes another
            break
        except FileExistsError:
            number += 1
            folder = stem.with_name(f"{stem.name}-{number}")
    return folder


@contextmanager
def download_bar() -> Iterator[Callable[[int, int | None, str], None]]:
    """A bar on stderr for each download, if that is a terminal; yields what is to be called with the bytes done, all of
    them and the URL."""
    if not err.is_terminal:  # the lowest version of rich ends even a disabled bar with an empty line
        yield lambda done, total, address: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=err.rich, transient=True) as bar:
        tasks: dict[str, Any] = {}

        def progress(done: int, total: int | None, address: str) -> None:
            if address not in tasks:
                tasks[address] = bar.add_task(address.rsplit("/", 1)[-1], total=total)
            bar.update(tasks[address], completed=done, total=total)

        yield progress
