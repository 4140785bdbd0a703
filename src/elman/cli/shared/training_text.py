"""The text that a model was trained on: the one that its file names, after a question, or the one that is given."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import InputError
from ...visible import visible
from .console import err

if TYPE_CHECKING:
    import numpy as np

    from ...model import Model
    from ...runs import Checkpoint

TrainingText = Annotated[
    str | None,
    typer.Option(
        "--corpus", metavar="TEXT", help="The training text; if left out, the one that the model's file names."
    ),
]


def training_parts(
    model: Model, path: Path, corpus: str | None, field: str | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """ids of what the model at `path` was trained on, and of what was held out of that if it is known.

    field: as `corpora.read_text` takes it.
    """
    from ...inspection import divided, most_characters, read_corpus, recorded_corpus, recorded_places
    from ...model import read_header

    run = read_header(path)["run"]
    if corpus is not None:
        given = read_corpus(model, corpus, most_characters(run), field)
        parts = divided(model, run, given)
        if parts is None:
            err.print(
                f"elman: {visible(corpus)} is not the text that the model's file names as what it was trained on: the "
                "digests differ"
            )
        return parts or (model.reading.vocabulary.encode(given.text), None)
    places, ours = recorded_places(run)
    if not ours:
        _ask(path, places)
    return recorded_corpus(model, run, field)


def _ask(path: Path, places: list[str]) -> None:
    """A model's file may come from anyone, and what it names is about to be opened."""
    named = visible(", ".join(places))
    if not (sys.stdin.isatty() and err.is_terminal):
        raise InputError(f"{path} says that it was trained on {named}; to read that, give it as --corpus")
    if not agreed(f"The model's file says that it was trained on {named}. Read it?"):
        raise InputError("give the training text as --corpus")


def ask_to_resume(folder: Path, checkpoint: Checkpoint) -> None:
    """A checkpoint that this user did not write may name any text, which is about to be opened.

    Raises:
        InputError: nobody can be asked, or the answer is no; says how to name the text.
    """
    from ...corpora import NAMED

    place = (checkpoint.loaded or {}).get("name_or_path", [])
    places = [place] if isinstance(place, str) else place
    if {*places} <= {"traveller", *NAMED}:
        return
    named, instead = visible(", ".join(places)), f"elman train TEXT --resume {folder}"
    if not (sys.stdin.isatty() and err.is_terminal):
        raise InputError(f"{folder} was not made by you here, and says that it trains on {named}; name it: {instead}")
    if not agreed(f"{folder} says that it trains on {named}. Read it?"):
        raise InputError(f"name the text that it trains on: {instead}")


def agreed(question: str) -> bool:
    """Ask on the terminal. An input that ends, as by Ctrl-D, is a no; Ctrl-C stays what it is."""
    try:
        return typer.confirm(question, default=True, err=True)
    except typer.Abort as end:  # of both, which its context tells apart
        if isinstance(end.__context__, EOFError):
            return False
        raise
