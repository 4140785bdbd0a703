"""fit() and resume(): what they are given is checked, the loop's steps and epochs are saved, logged and reported.

On the CPU with the native kernel a run is a function of (corpus, recipe, seed) alone: the same bits on any processor,
and however often it was stopped on the way.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import given, kernels
from ..corpora import Corpus
from ..errors import InputError
from ..kernels import ModelWeights, Stepper
from ..model import Model, trainable
from ..parallel.alone import Alone
from ..parallel.group import Group
from ..parallel.stepper import ShardedStepper
from ..recipes.recipe import Recipe
from ..runs.checkpoint import Checkpoint, read_checkpoint
from ..runs.run import Run
from .attended import Attended, OnEpoch, OnStep
from .choice import choose
from .data import Records, Split, Text, check_reading
from .ensemble import made_of
from .further import further
from .loop import Training
from .mixing import Mixing
from .optimiser import by_muon

if TYPE_CHECKING:
    from typing import Unpack

    from ..recipes.settings import Settings


def fit(
    model: Model,
    corpus: Corpus | str,
    recipe: Recipe | str | Path | None = None,
    *,
    output: str | Path | None = None,
    on_step: OnStep | None = None,
    on_epoch: OnEpoch | None = None,
    device: str = "cpu",
    save_seconds: float = 30.0,
    ranks: Group | None = None,
    tensorboard: bool = False,
    plot: bool = False,
    minutes: float | None = None,
    **settings: Unpack[Settings],
) -> Run:
    """Train `model` on `corpus`, in place.

    Args:
        model: a LanguageModel, whose parameters are where training starts from; see its `initialise`, and build_model.
        corpus: from load_corpus; or a str, which is read as the model reads any text.
        recipe: the settings, or the name or file of a recipe, such as "modern". None: "book" for a named corpus, else
            "records" or "modern", with epochs and batch by the size of the text. Settings that describe a model (cell,
            sizes) are not used here; nor are its networks, where a recipe by name has several and the model is one.
        output: a folder for what `Saver` writes; made if missing. None: nothing is written.
        on_step: called after each step. on_epoch: called after each epoch.
        device: "cpu"; or another one of torch's, such as "cuda", for which `elman[torch]` must be installed.
        save_seconds: between saves; a run that is killed loses at most these.
        ranks: the processes that share the work, of which this is one, as `elman.torch.group.TorchGroup`; only the
            first writes. None: this one alone.
        tensorboard: write its event files too, in the folder's `tensorboard`.
        plot: draw the curve while training; in a notebook.
        minutes: end after so long, measuring included, within an epoch or after many, in place of the recipe's epochs.
            The learning rate's schedule follows the clock too, so the result differs from run to run.
        settings: changes to the recipe, for example epochs=100, lr=0.5.
    Returns:
        a Run: the model, the log, and whether a signal ended it early; with `ngrams` also `mixed`, the model with
            n-grams. Ctrl-C, SIGTERM and SIGHUP end it after this step; the model is saved, and then the program gets
            the signal: Ctrl-C raises KeyboardInterrupt, and where a handler of its own returns, so does `fit`.
    Raises:
        InputError: the corpus is too short for one batch, a setting is out of range, or another training has the
            folder.
        TrainingDiverged: the loss or gradient is infinite or not a number; says where and what to change.
    Source: Zhang et al., Dive into Deep Learning, "Concise Implementation of Recurrent Neural Networks".
    """
    drawn = None
    if plot:
        from .live import LiveCurve

        on_epoch = drawn = LiveCurve(on_epoch)
    given.instance("recipe", recipe, (Recipe, str, Path, type(None)), "a Recipe, the name or file of one, or None")
    given.instance("corpus", corpus, (Corpus, str), "a Corpus, as load_corpus gives it, or a text")
    model = trainable(model)
    _check_how(output, on_step, on_epoch, device, save_seconds, ranks)
    if isinstance(corpus, str):
        text = model.reading.prepare(corpus)
        corpus = Corpus("text", text, model.reading.normalisation, "a string", model.reading.records)
    check_reading(model, corpus)
    said = isinstance(recipe, Recipe) or "networks" in settings
    recipe = choose(corpus, recipe, settings)
    if not said and not made_of(model.network, recipe.networks):
        recipe = recipe.replace(networks=1)
    if corpus.field:
        model.reading = replace(model.reading, field=corpus.field)
    corpus = corpus.first(recipe.max_chars)
    ids = corpus.ids(model.reading.vocabulary)
    unknown = corpus.unknown(model.reading.vocabulary, ids)
    about = {"name": corpus.name, "source": corpus.source, "characters": len(corpus), "unknown": unknown}
    if len(ids) != len(corpus):
        about["tokens"] = len(ids)
    run = Run(model, recipe, about | {"digest": corpus.digest()}, path=None if output is None else Path(output))
    run.minutes = minutes
    training, mixing = _set_up(run, corpus, ids, corpus.loaded, device, ranks)
    Attended(training, on_step, on_epoch, save_seconds, tensorboard, mixing).run()
    if drawn:
        drawn.finish()
    return run


def resume(
    run: str | Path | Checkpoint,
    corpus: Corpus | None = None,
    *,
    on_step: OnStep | None = None,
    on_epoch: OnEpoch | None = None,
    device: str = "cpu",
    save_seconds: float = 30.0,
    ranks: Group | None = None,
    tensorboard: bool = False,
    epochs: int | None = None,
    patience: int | None = None,
    minutes: float | None = None,
) -> Run:
    """Go on with a run from its last checkpoint: it ends with the bits of one that was never stopped.

    Args:
        run: its folder, or what `read_checkpoint` gave of it.
        corpus: the text that it trains on; None: loaded from where it was.
        epochs, patience, minutes: as `further` takes them.
        on_step, on_epoch, device, save_seconds, ranks, tensorboard: as for `fit`.
    Raises:
        InputError: no checkpoint there, another corpus, or another training has the folder. TrainingDiverged: as `fit`.
    """
    _check_how(None, on_step, on_epoch, device, save_seconds, ranks)
    given.instance("corpus", corpus, (Corpus, type(None)), "a Corpus, as load_corpus gives it, or None")
    checkpoint = run if isinstance(run, Checkpoint) else read_checkpoint(run)
    if corpus is None:
        corpus = checkpoint.corpus()
    else:
        checkpoint.check(corpus)
        checkpoint.loaded = corpus.loaded or (checkpoint.loaded if checkpoint.ours else None)
    going = checkpoint.run
    check_reading(going.model, corpus)
    further(checkpoint, epochs, patience, minutes)
    corpus = corpus.first(going.recipe.max_chars)
    ids = corpus.ids(going.model.reading.vocabulary)
    training, mixing = _set_up(going, corpus, ids, checkpoint.loaded, device, ranks)
    training.restore(checkpoint)
    Attended(training, on_step, on_epoch, save_seconds, tensorboard, mixing, resumed=not checkpoint.fresh).run()
    return going


def _set_up(
    run: Run, corpus: Corpus, ids: np.ndarray, loaded: dict[str, Any] | None, device: str, ranks: Group | None
) -> tuple[Training, Mixing | None]:
    """The training, and what adds n-grams to its models. loaded: how to load the corpus again."""
    model, recipe, group = run.model, run.recipe, ranks or Alone()
    if group.rank:
        run.path = None
    split = Split.of(ids, model.reading, recipe.val_fraction, recipe.seed, recipe.val_blocks, recipe.last_tokens)
    data = Records(split, recipe, model.reading) if corpus.records else Text(split, recipe)
    mixing = Mixing(data, model.reading, recipe) if recipe.ngrams else None
    return Training(run, data, partial(_stepper, recipe, device, group), loaded, group), mixing


def _check_how(output: Any, on_step: Any, on_epoch: Any, device: Any, save_seconds: Any, ranks: Any) -> None:
    """Raises InputError for arguments of `fit` and `resume` that are of another type."""
    if output is not None:
        given.path("output", output)
    given.call("on_step", on_step)
    given.call("on_epoch", on_epoch)
    given.instance("device", device, str, "a device's name")
    given.instance("ranks", ranks, (Group, type(None)), "a Group, such as TorchGroup, or None")
    if isinstance(save_seconds, bool) or not isinstance(save_seconds, int | float) or not save_seconds >= 0:
        raise InputError(f"save_seconds is {given.shown(save_seconds)}; expected a number of at least 0")


def _stepper(recipe: Recipe, device: str, group: Group, network: ModelWeights) -> Stepper:
    if recipe.shards > 1 or group.size > 1:
        if device != "cpu":
            raise InputError(f"shards are summed on the CPU; leave out device {device!r}, or shards")
        return ShardedStepper(network, recipe.shards, group, by_muon(network, recipe))
    if device == "cpu":
        return kernels.stepper(network)
    try:
        from ..torch.device import stepper
    except ModuleNotFoundError as error:
        raise InputError(f"device {device!r}: {error}") from None
    return stepper(network, device)
