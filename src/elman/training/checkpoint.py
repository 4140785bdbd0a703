"""Checkpoint: a training that stopped, in one .safetensors file: all that the rest of it depends on.

Beside the weights as they are and what the optimiser keeps, that is the recipe, where the corpus came from and its
digest, the place in the epoch with the carried state, how far dropout's stream is used, and the log. The batches of an
epoch, the learning rate and the best epoch are functions of those, so a training that goes on from here ends with the
bits of one that never stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..corpora import Corpus, Progress, load_corpus, load_mapped
from ..errors import InputError, ModelFileError
from ..model import LanguageModel
from ..model.file import CHECKPOINT, build, describe, read, write
from .measure import Means
from .recipe import Recipe
from .run import Run, as_json, from_json

NAME, NEW_NAME = "checkpoint.safetensors", "checkpoint.new.safetensors"
"""The second one is of a run that has not yet replaced the one whose model is still in the folder."""
_EXTRA = "training."


@dataclass
class Checkpoint:
    """A run as it was, and where it stood."""

    run: Run
    epoch: int
    """The one under way, from 1."""
    means: Means
    """Of its steps so far: as many batches of it are done."""
    steps: int
    """Of the optimiser."""
    masked: int
    """Words of dropout's stream that are used."""
    seconds: float
    """Of training so far."""
    loaded: dict[str, Any] | None
    """What `load_corpus` was given; None: the corpus came from elsewhere."""
    tensors: dict[str, np.ndarray]
    """state.0 (and state.1): (L, B, H); and what `Optimiser.tensors` gives."""

    @property
    def fresh(self) -> bool:
        """Nothing is done yet."""
        return self.steps == 0

    def corpus(self, place: str | Path | Sequence[str] | None = None, progress: Progress | None = None) -> Corpus:
        """The corpus, loaded as it was.

        Args:
            place: where it is now, if not where it was.
        Raises:
            InputError: it cannot be had from here, or has changed.
        """
        if self.loaded is None:
            raise InputError("this run's corpus was not loaded from a file; give it to `resume` again")
        loaded: dict[str, Any] = dict(self.loaded) | {"tokens": self.run.model.reading.vocabulary}
        loaded.pop("as_bytes", None)  # of a run before there were tokens
        if place is not None:
            loaded["name_or_path"] = place
        if loaded.pop("mapped", False):
            corpus: Corpus = load_mapped(**{name: loaded[name] for name in loaded if name not in ("records", "field")})
        else:
            corpus = load_corpus(**loaded, progress=progress)
        self.check(corpus)
        return corpus

    def check(self, corpus: Corpus) -> None:
        """Raises InputError if this is another corpus than the run's."""
        text = corpus.first(self.run.recipe.max_chars)
        was, size = self.run.corpus["digest"], self.run.corpus["characters"]
        if text.digest() != was:
            raise InputError(
                f"{corpus.source}: not the text that this run trains on, which had {size:,} characters and SHA-256 "
                f"{was[:12]}...; this one has {len(text):,}; give the text as it was, or start a run with --from"
            )


def write_checkpoint(path: Path, checkpoint: Checkpoint, weights: dict[str, np.ndarray]) -> None:
    """Whole or not at all, as every file. weights: those of the model, as the next step needs them."""
    run = checkpoint.run
    header = describe(run.model) | {
        "recipe": asdict(run.recipe) | {"prompts": list(run.recipe.prompts)},
        "corpus": run.corpus,
        "loaded": checkpoint.loaded,
        "log": [as_json(epoch) for epoch in run.log],
        "means": asdict(checkpoint.means),
        **{name: getattr(checkpoint, name) for name in ("epoch", "steps", "masked", "seconds")},
    }
    write(path, header, weights | {_EXTRA + name: array for name, array in checkpoint.tensors.items()}, CHECKPOINT)


def has_checkpoint(folder: Path) -> bool:
    return any((folder / name).exists() for name in (NAME, NEW_NAME))


def read_checkpoint(folder: str | Path) -> Checkpoint:
    """Where the run in a folder stood.

    Raises:
        ModelFileError: there is none, it is damaged, or of a version that this one cannot go on from; one line.
    """
    folder = Path(folder)
    path = next((folder / name for name in (NEW_NAME, NAME) if (folder / name).exists()), None)
    if path is None:
        raise ModelFileError(f"{folder}: no checkpoint here, so nothing to go on from; `elman train` writes one")
    header, tensors = read(path, CHECKPOINT)
    weights = {name: array for name, array in tensors.items() if not name.startswith(_EXTRA)}
    model: LanguageModel = build(path, header, weights)
    try:
        recipe = Recipe().replace(**{"tokens": model.reading.vocabulary.setting} | header["recipe"])
        run = Run(model, recipe, header["corpus"], [from_json(line) for line in header["log"]], path=folder)
        return Checkpoint(
            run,
            header["epoch"],
            Means(**header["means"]),
            header["steps"],
            header["masked"],
            header["seconds"],
            header["loaded"],
            {name.removeprefix(_EXTRA): array for name, array in tensors.items() if name.startswith(_EXTRA)},
        )
    except (InputError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise ModelFileError(f"{path}: this version of Elman cannot go on from it: {reason}") from None
