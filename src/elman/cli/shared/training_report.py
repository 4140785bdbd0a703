"""Report of `elman train`: how it begins, how it goes on, and what it has written."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ...errors import TrainingDiverged
from .console import err, out, write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...corpora import Corpus
    from ...model import LanguageModel
    from ...recipes import Recipe
    from ...runs import Epoch, Run


def report(
    train: Callable[..., Run],
    model: LanguageModel,
    text: Corpus,
    recipe: str | None,
    settings: Recipe,
    every: int,
    as_json: bool,
    more: str,
    folder: Path | None,
    log: Sequence[Epoch] = (),
    minutes: float | None = None,
) -> None:
    """Train, and say what goes on meanwhile.

    recipe: its name; None: the settings are a stopped run's, and `log` its epochs. folder: None in another process
    than the first. minutes: of training in all, if the clock ends it and the settings' epochs are about as many.
    """
    from ...runs import RunFolder
    from ...training.interrupt import held_back
    from .curve_file import CurveFile
    from .progress import Lines, training_bar

    (err if as_json else out).print(_heading(model, text, recipe, settings, minutes) + more)
    picture = CurveFile(folder, f"{text.name}, {settings.cell} {settings.hidden_size}", log)
    with training_bar(model.reading.vocabulary.unit) as (on_step, above):
        lines = Lines(model, settings, every, above)

        def on_epoch(record: Epoch) -> None:
            picture.add(record)
            if not as_json:
                lines.epoch(record)

        with held_back() as stopped:
            run = train(on_step=on_step or (None if as_json else lines.step), on_epoch=on_epoch)
    if not as_json:
        lines.end(run.log)
    if folder is None:
        _exit(stopped)
        return
    if run.log and math.isinf(run.perplexity):
        raise TrainingDiverged(
            f"training diverged: its perplexity is infinite after epoch {len(run.log)}; {RunFolder(folder).log} says "
            f"when it began; use a lower learning rate (now {settings.lr:g})"
        )
    picture.draw()
    digest = (run.mixed or model).digest()
    if as_json:
        ending = {"output": str(folder), "interrupted": run.interrupted, "digest": digest}
        write_json(run.summary() | ending | ({} if run.ngrams is None else {"ngrams": run.ngrams}))
    else:
        out.print(_ending(run, folder, minutes) + f"\ndigest {digest}")
    _exit(stopped)


def _exit(stopped: list[int]) -> None:
    """A training that a signal stopped is not done: what waits for it must not go on."""
    if stopped:
        raise typer.Exit(128 + stopped[-1])


def _heading(model: LanguageModel, text: Corpus, recipe: str | None, settings: Recipe, minutes: float | None) -> str:
    from ...kernels import serving

    (backend, why), named = serving(model.network.cell), f"recipe {recipe}: " if recipe else ""
    return (
        f"{text.name}: {_size(text)}, {_vocabulary(model, text)}, normalisation {text.normalisation}\n"
        f"{named}{_length(settings.epochs, minutes)}, batches of "
        f"{settings.batch_size} x {settings.seq_length}, {settings.optimizer}, lr {settings.lr:g}\n"
        f"{_networks(settings)}{settings.cell} {settings.num_layers} x {settings.hidden_size}, "
        f"{model.num_parameters:,} parameters; backend {backend} ({why})"
    )


def _networks(settings: Recipe) -> str:
    return "" if settings.networks == 1 else f"the mean of {settings.networks} networks, each "


def _ending(run: Run, folder: Path, minutes: float | None) -> str:
    """How the training ended, its best epoch, and the files that it wrote."""
    from ...runs import RunFolder
    from ...runs.log import best

    lines = []
    if run.interrupted:
        about = "" if minutes is None else "about "
        lines.append(
            f"stopped after {len(run.log)} of {about}{run.recipe.epochs} epochs; the model is saved; "
            f"elman train --resume {folder} goes on"
        )
    elif len(run.log) < run.recipe.epochs:
        lines.append(f"ended after {len(run.log)} of {run.recipe.epochs} epochs: the held-out text gets no better")
    files, lowest = RunFolder(folder), best(run.log)
    if lowest is not None:
        last = next(epoch for epoch in reversed(run.log) if epoch.val_perplexity is not None)
        lines.append(
            f"best at epoch {lowest.epoch}: held-out perplexity {lowest.val_perplexity:.3f}, last "
            f"{last.val_perplexity:.3f}; the other commands take the best, best.safetensors"
        )
        if last.val_blocks is not None:
            lines.append(_held_out(last.val_tokens or 0, last.val_blocks, run.model.reading.vocabulary.unit))
    if run.mixed is not None and run.ngrams is not None:
        lines.append(
            f"with {len(run.mixed.ngrams):,} n-grams of up to {run.mixed.ngrams.longest} tokens: held-out perplexity "
            f"{run.ngrams['val_perplexity']:.3f}; every other number is of the network alone"
        )
    written = (files.model, files.log, files.curve) if run.log else (files.model,)
    return "\n".join([*lines, f"{folder}/{'  '.join(path.name for path in written)}"])


def _held_out(tokens: int, blocks: int, unit: str) -> str:
    """Which part of a text no epoch trains on."""
    where = "at the end of the text" if blocks == 1 else f"in {blocks} blocks spread over the text"
    return f"not trained on, to measure on: {tokens:,} {unit}s {where}"


def _length(epochs: int, minutes: float | None) -> str:
    count = f"{epochs:,} epoch{'' if epochs == 1 else 's'}"
    return count if minutes is None else f"about {count} (the clock ends it, so no two runs are alike)"


def _size(text: Corpus) -> str:
    size = f"{len(text):,} {'bytes' if text.is_bytes else 'characters'}"
    if not text.records:
        return size
    count = text.num_records
    return f"{count:,} record{'' if count == 1 else 's'}, {size}"


def _vocabulary(model: LanguageModel, text: Corpus) -> str:
    from ...corpora import SAMPLE

    size = f"{model.vocab_size} in the vocabulary"
    vocabulary = model.reading.vocabulary
    if vocabulary.unit != "token":
        return size
    kind = "subwords" if vocabulary.kind == "bpe" else "tokens"
    return f"{size} of {kind}" + (f", from its first {SAMPLE:,}" if len(text) > SAMPLE else "")
