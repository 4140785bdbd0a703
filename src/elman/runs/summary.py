"""Summary of a run's folder: its recipe, and its log as far as it goes."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import ElmanError, InputError
from ..model.container import CHECKPOINT, read, read_header
from ..recipes.recipe import Recipe
from ..typed import Fields
from .folder import RunFolder
from .log import Epoch, from_json


@dataclass(frozen=True)
class RunSummary:
    """Contents of a run's folder: its recipe, its text and its log so far."""

    path: Path
    recipe: dict[str, Any]
    """Every setting; what an older run did not know has its default."""
    corpus: dict[str, Any]
    """Its name, source, characters and digest."""
    log: list[dict[str, Any]]
    """The lines of log.jsonl."""

    @property
    def last(self) -> dict[str, Any] | None:
        return self.log[-1] if self.log else None

    @property
    def best(self) -> dict[str, Any] | None:
        """The line with the lowest held-out loss; None: none was measured."""
        measured = [line for line in self.log if line.get("val_bits_per_char") is not None]
        return min(measured, key=lambda line: line["val_bits_per_char"]) if measured else None

    def epochs(self) -> list[Epoch]:
        return [from_json(Fields(line, str(self.path))) for line in self.log]

    def summary(self) -> dict[str, Any]:
        """A dict for JSON."""
        return {"corpus": self.corpus, "recipe": self.recipe, "last": self.last, "best": self.best}


def read_run(folder: Path) -> RunSummary:
    """The run in a folder, also while it trains.

    Raises:
        InputError: there is none, or its files are damaged.
    """
    files = RunFolder(folder)
    path = files.model
    if path.exists():
        about = Fields(read_header(path)["run"], f"{path}: its run")
    else:
        found = files.latest_checkpoint()
        if found is None:
            raise InputError(f"{folder}: no run here; `elman train` makes one")
        path = found
        about = Fields(read(path, CHECKPOINT)[0], str(path))
    settings, corpus = about.inner("recipe", {}), about.inner("corpus", {})
    for name in ("name", "digest"):
        corpus.text(name, "")
    try:  # what a newer version has beside these is left out
        recipe = Recipe().replace(**{k: v for k, v in settings.value.items() if k in Recipe.__dataclass_fields__})
    except InputError as error:
        raise InputError(f"{path}: its recipe: {error}") from None
    log = _log(files.log)
    return RunSummary(folder, asdict(recipe) | {"prompts": list(recipe.prompts)}, dict(corpus.value), log)


def _log(path: Path) -> list[dict[str, Any]]:
    """The whole lines: the last one may be half written just now."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]
    try:
        log = [json.loads(line) for line in lines]
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a log of Elman's: {error}") from None
    for i, line in enumerate(log):
        try:
            from_json(Fields(line, f"line {i + 1}"))
        except InputError as error:
            raise InputError(f"{path}: not a log of Elman's: {error}") from None
    return log


def find_runs(folder: Path) -> tuple[list[RunSummary], list[str]]:
    """The runs in a folder and the folders in it, in order of their paths; and a line for each that cannot be read.

    Raises:
        InputError: there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    found, broken = [], []
    for place, folders, _ in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if RunFolder(Path(place)).is_trained_in():
            try:
                found.append(read_run(Path(place)))
            except (ElmanError, OSError) as error:
                broken.append(str(error))
    return found, broken


def differences(runs: Sequence[RunSummary]) -> list[str]:
    """The settings in which runs differ, in the recipe's order."""
    return [name for name in Recipe.__dataclass_fields__ if len({repr(run.recipe.get(name)) for run in runs}) > 1]
