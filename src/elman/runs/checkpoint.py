"""Checkpoint: a training that stopped, in one .safetensors file: all that the rest of it depends on.

Beside the latest weights and the optimiser's state it has the recipe, the origin of the corpus and its
digest, the place in the epoch with the carried state, how far dropout's stream is used, and the log. The batches of an
epoch, the learning rate and the best epoch are functions of those, so a training that goes on from here ends with the
bits of one that never stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .. import given
from ..corpora import Corpus, Progress, load_corpus, load_mapped
from ..errors import InputError, ModelFileError
from ..model import LanguageModel
from ..model.container import CHECKPOINT, read, write_tensors
from ..model.file import build, describe
from ..recipes.recipe import Recipe
from ..typed import Fields
from .folder import RunFolder
from .log import as_json, from_json, out_of_patience
from .origin import is_ours, signature
from .run import Means, Run

_EXTRA = "training."
_SHARD_SUM = 2
"""The number of the order in which the gradients of shards are added, which decides bits: 1 was one after the other, 2
is the tree of `parallel.tree`."""


@dataclass(eq=False)
class Checkpoint:
    """A run as it was, and where it stood."""

    run: Run
    epoch: int
    """The one under way, from 1."""
    means: Means
    """Means of its steps so far: as many batches of it are done."""
    steps: int
    """Steps of the optimiser so far."""
    masked: int
    """Words of dropout's stream that are used."""
    seconds: float
    """Seconds of training so far."""
    ours: bool = field(kw_only=True, default=True)
    """This user wrote it: what it names may be read without a question."""
    loaded: dict[str, Any] | None
    """Arguments of `load_corpus`; None: the corpus came from elsewhere."""
    tensors: dict[str, np.ndarray]
    """state.0 (and state.1): (L, B, H); and what `Optimiser.tensors` gives."""

    @property
    def finished(self) -> bool:
        """Nothing is left to train."""
        return self.epoch > self.run.recipe.epochs or out_of_patience(self.run.recipe, self.run.log)

    @property
    def fresh(self) -> bool:
        """Nothing is done yet."""
        return self.steps == 0

    def corpus(self, place: str | Path | Sequence[str] | None = None, progress: Progress | None = None) -> Corpus:
        """The corpus, loaded as it was.

        Args:
            place: where it is now, if not where it was.
        Raises:
            InputError: it cannot be read or downloaded, or has changed.
        """
        if self.loaded is None:
            raise InputError("this run's corpus was not loaded from a file; give it to `resume` again")
        loaded: dict[str, Any] = dict(self.loaded) | {"tokens": self.run.model.reading.vocabulary}
        loaded.pop("as_bytes", None)  # of a run before there were tokens
        if place is not None:
            loaded["name_or_path"] = place
        if loaded.pop("mapped", False) and isinstance(loaded["name_or_path"], (str, Path)):
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
                f"{was[:12]}...; this one has {len(text):,}; give the text as it was, or start another run"
            )


def write_checkpoint(path: Path, checkpoint: Checkpoint, weights: dict[str, np.ndarray]) -> None:
    """Write it whole or not at all, like every file. weights: the model's, as the next step needs them."""
    run = checkpoint.run
    header = describe(run.model) | {
        "recipe": asdict(run.recipe) | {"prompts": list(run.recipe.prompts)},
        "corpus": run.corpus,
        "loaded": checkpoint.loaded,
        "log": [as_json(epoch) for epoch in run.log],
        "means": asdict(checkpoint.means),
        "minutes": run.minutes,
        "signed": signature(checkpoint.loaded),
        "shard_sum": _SHARD_SUM,
        **{name: getattr(checkpoint, name) for name in ("epoch", "steps", "masked", "seconds")},
    }
    write_tensors(
        path, header, weights | {_EXTRA + name: array for name, array in checkpoint.tensors.items()}, CHECKPOINT
    )


def read_checkpoint(folder: str | Path) -> Checkpoint:
    """Read the checkpoint of the run in a folder.

    Raises:
        ModelFileError: there is none, it is damaged, or of a version that this one cannot go on from; one line.
    """
    folder = Path(given.path("a run's folder", folder))
    path = RunFolder(folder).latest_checkpoint()
    if path is None:
        raise ModelFileError(f"{folder}: no checkpoint here, so nothing to go on from; `elman train` writes one")
    header, tensors = read(path, CHECKPOINT)
    weights = {name: array for name, array in tensors.items() if not name.startswith(_EXTRA)}
    model: LanguageModel = build(path, header, weights)
    extra = {name.removeprefix(_EXTRA): array for name, array in tensors.items() if name.startswith(_EXTRA)}
    try:
        return _from_header(Fields(header, "its header"), model, folder, extra)
    except InputError as error:
        reason = " ".join(str(error).split())
        raise ModelFileError(f"{path}: this version of Elman cannot go on from it: {reason}") from None


def _from_header(header: Fields, model: LanguageModel, folder: Path, tensors: dict[str, np.ndarray]) -> Checkpoint:
    """Raises InputError where a field is missing, of another type, or contradicts the others."""
    settings = {"tokens": model.reading.vocabulary.setting} | dict(header.inner("recipe").value)
    recipe, corpus, log = Recipe().replace(**settings), header.inner("corpus"), header.objects("log")
    if recipe.shards > 1 and header.whole("shard_sum", 1) != _SHARD_SUM:
        raise InputError(
            f"its shards were added in order {header.whole('shard_sum', 1)}, and this version adds them in order "
            f"{_SHARD_SUM}, to other bits; start a run from its model.safetensors"
        )
    for name in ("name", "digest"):
        corpus.text(name)
    corpus.texts("source")
    corpus.whole("characters")
    run = Run(model, recipe, dict(corpus.value), [from_json(line) for line in log], path=folder)
    if "minutes" in header:
        run.minutes = given.amount("minutes", header.number("minutes"))
    epoch = header.whole("epoch", at_least=1)
    if epoch != len(log) + 1:
        raise InputError(f"its epoch is {epoch} and its log has {len(log)} epochs; expected one less")
    loaded = _checked(header.inner("loaded")) if "loaded" in header else None
    means = _means(header.inner("means"))
    position = (epoch, means, header.whole("steps"), header.whole("masked"), header.number("seconds"))
    ours = is_ours(loaded, header.text("signed", None))
    return Checkpoint(run, *position, loaded, tensors, ours=ours)


def _means(fields: Fields) -> Means:
    return Means(
        steps=fields.whole("steps"),
        count=fields.whole("count"),
        nats=fields.number("nats"),
        norm=fields.number("norm"),
        layer_norms=fields.numbers("layer_norms"),
        seconds=fields.number("seconds"),
        lr=fields.number("lr", 0.0),
    )


def _checked(loaded: Fields) -> dict[str, Any]:
    """Arguments for `load_corpus` or `load_mapped`, if each has its type."""
    loaded.texts("name_or_path")
    loaded.whole("max_chars", None, at_least=1)
    for name in ("mapped", "records", "as_bytes"):
        loaded.flag(name, None)
    for name in ("normalisation", "encoding_errors"):
        loaded.text(name)
    for name in ("encoding", "field"):
        loaded.text(name, None)
    known = {"name_or_path", "max_chars", "normalisation", "encoding", "encoding_errors", "records", "field"}
    unknown = sorted(set(loaded.value) - known - {"mapped", "as_bytes"})
    if unknown:
        raise InputError(f"its text was loaded with {unknown[0]}, which this version does not know")
    return dict(loaded.value)
