"""fit() and resume(): truncated back-propagation through time with a carried state, clipping by the global norm, a log.

On the CPU with the native kernel a run is a function of (corpus, recipe, seed) alone: the same bits on any processor,
and however often it was stopped on the way.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from .. import given, kernels, philox
from ..corpora import Corpus
from ..errors import InputError, ModelFileError, TrainingDiverged
from ..kernels import Dropout, Stepper
from ..model import LanguageModel, trainable
from ..parallel.ranks import Ranks
from ..parallel.shards import ShardedStepper, mask_words
from ..recipes.recipe import Recipe
from ..runs.checkpoint import Checkpoint, read_checkpoint
from ..runs.events import Events
from ..runs.folder import RunFolder
from ..runs.lock import locked
from ..runs.log import Epoch, out_of_patience
from ..runs.run import Means, Run, Step
from ..runs.saver import Saver, saved_whatever_happens
from ..scoring import perplexity
from . import budget
from .budget import Budget
from .choice import choose
from .data import Records, Split, Text
from .further import further
from .interrupt import Interrupt, interrupts
from .measure import measure
from .optimiser import Optimiser
from .schedule import learning_rate

OnStep = Callable[[Step], None]
OnEpoch = Callable[[Epoch], None]


def fit(
    model: LanguageModel,
    corpus: Corpus | str,
    recipe: Recipe | str | Path | None = None,
    *,
    output: str | Path | None = None,
    on_step: OnStep | None = None,
    on_epoch: OnEpoch | None = None,
    device: str = "cpu",
    save_seconds: float = 30.0,
    ranks: Ranks | None = None,
    tensorboard: bool = False,
    plot: bool = False,
    minutes: float | None = None,
    **settings: Any,
) -> Run:
    """Train `model` on `corpus`, in place.

    Args:
        model: its parameters are where training starts from; see LanguageModel.initialise and build_model.
        corpus: from load_corpus; or a str, which is read as the model reads any text.
        recipe: the settings, or the name or file of a recipe, such as "modern". None: "book" for a named corpus, else
            "records" or "modern", with epochs and batch by the size of the text. Settings that describe a model (cell,
            sizes) are not used here.
        output: a folder for what `Saver` writes; made if missing. None: nothing is written.
        on_step: called after each step. on_epoch: called after each epoch.
        device: "cpu"; or another one of torch's, such as "cuda", for which `elman[torch]` must be installed.
        save_seconds: between saves; a run that is killed loses at most these.
        ranks: the processes that share the work, of which this is one; only the first writes. None: this one alone.
        tensorboard: write its event files too, in the folder's `tensorboard`.
        plot: draw the curve while training; in a notebook.
        minutes: end after so long, measuring included, within an epoch or after many, in place of the recipe's epochs.
            The learning rate's schedule follows the clock too, so the result differs from run to run.
        settings: changes to the recipe, for example epochs=100, lr=0.5.
    Returns:
        a Run: the model, the log, and whether a signal ended it early. Ctrl-C, SIGTERM and SIGHUP do, after this step;
            the model is saved, and then the program gets the signal: Ctrl-C raises KeyboardInterrupt, and where a
            handler of its own returns, so does `fit`.
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
    _check_reading(model, corpus)
    recipe = choose(corpus, recipe, settings)
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
    training = _set_up(run, corpus, ids, corpus.loaded, device, ranks)
    training.run_all(on_step, on_epoch, save_seconds, tensorboard, resumed=False)
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
    ranks: Ranks | None = None,
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
    _check_reading(going.model, corpus)
    further(checkpoint, epochs, patience, minutes)
    corpus = corpus.first(going.recipe.max_chars)
    ids = corpus.ids(going.model.reading.vocabulary)
    training = _set_up(going, corpus, ids, checkpoint.loaded, device, ranks)
    training.restore(checkpoint)
    return training.run_all(on_step, on_epoch, save_seconds, tensorboard, resumed=not checkpoint.fresh)


def _set_up(
    run: Run, corpus: Corpus, ids: np.ndarray, loaded: dict[str, Any] | None, device: str, ranks: Ranks | None
) -> _Training:
    """loaded: how to load the corpus again."""
    model, recipe, ranks = run.model, run.recipe, ranks or Ranks()
    if ranks.rank:
        run.path = None
    split = Split.of(ids, model.reading, recipe.val_fraction, recipe.seed)
    data = Records(split, recipe, model.reading) if corpus.records else Text(split, recipe)
    return _Training(run, data, _stepper(model, recipe, device, ranks), loaded, ranks)


def _check_how(output: Any, on_step: Any, on_epoch: Any, device: Any, save_seconds: Any, ranks: Any) -> None:
    """Raises InputError for arguments of `fit` and `resume` that are of another type."""
    if output is not None:
        given.path("output", output)
    given.call("on_step", on_step), given.call("on_epoch", on_epoch)
    given.instance("device", device, str, "a device's name")
    given.instance("ranks", ranks, (Ranks, type(None)), "Ranks or None")
    if isinstance(save_seconds, bool) or not isinstance(save_seconds, int | float) or not save_seconds >= 0:
        raise InputError(f"save_seconds is {given.shown(save_seconds)}; expected a number of at least 0")


def _check_reading(model: LanguageModel, corpus: Corpus) -> None:
    """Raises InputError if the corpus was not read as the model reads: it would learn from what it never sees later."""
    reading = model.reading
    if corpus.records != reading.records:
        what = ("records", "no records") if corpus.records else ("one text", "records")
        raise InputError(f"the corpus was read as {what[0]}, and the model reads {what[1]}; build the model for it")
    if corpus.normalisation != reading.normalisation:
        raise InputError(
            f"the corpus was read with normalisation {corpus.normalisation!r}, and the model reads with "
            f"{reading.normalisation!r}; give load_corpus that normalisation"
        )


def _stepper(model: LanguageModel, recipe: Recipe, device: str, ranks: Ranks) -> Stepper:
    if recipe.shards > 1 or ranks.size > 1:
        if device != "cpu":
            raise InputError(f"shards are summed on the CPU; leave out device {device!r}, or shards")
        return ShardedStepper(model.network, recipe.shards, ranks)
    if device == "cpu":
        return kernels.stepper(model.network)
    try:
        from ..torch.device import stepper
    except ModuleNotFoundError as error:
        raise InputError(f"device {device!r}: {error}") from None
    return stepper(model.network, device)


class _Training:
    """A run, its data and its optimiser, and where it stands."""

    def __init__(
        self, run: Run, data: Text | Records, stepper: Stepper, loaded: dict[str, Any] | None, ranks: Ranks
    ) -> None:
        self.run, self.model, self.recipe = run, run.model, run.recipe
        self.data, self.stepper, self.loaded, self.ranks = data, stepper, loaded, ranks
        self.optimiser = Optimiser(run.model.network, run.recipe)
        self.number, self.means = 1, Means()  # the epoch under way
        self.masked = 0  # words of dropout's stream that are used
        self._within = False  # a step, which has changed some of all this
        self.seconds, self._start = 0.0, budget.now()  # before this process, and its beginning
        if run.minutes is not None and ranks.size > 1:
            raise InputError("minutes are of one process's clock; leave them out, or train with one process")
        self.budget = None if run.minutes is None else Budget(run.minutes)
        self._ending = False  # the budget's time is up

    def run_all(
        self, on_step: OnStep | None, on_epoch: OnEpoch | None, save_seconds: float, tensorboard: bool, resumed: bool
    ) -> Run:
        """Every epoch that is left."""
        run, saver, events = self.run, None, None
        if run.path:
            run.path.mkdir(parents=True, exist_ok=True)
        with self.ranks.joined(self._digest()), locked(run.path), interrupts() as interrupted:
            if run.path:
                saver = Saver(run, self.optimiser.averaged, self.stepper, self.snapshot, save_seconds, resumed)
                events = Events(RunFolder(run.path), run.log) if tensorboard else None
            with saved_whatever_happens(saver):
                while not self._done():
                    run.interrupted = interrupted.is_set() or not self.epoch(on_step, interrupted, saver)
                    if run.interrupted:
                        break
                    line = self._measure()
                    run.log.append(line)
                    self.number, self.means = self.number + 1, Means()
                    if saver:
                        saver.after_epoch()
                    if events:
                        events.add(line)
                    if on_epoch:
                        with self.optimiser.averaged():
                            on_epoch(line)
        self.optimiser.settle()
        interrupted.deliver()
        return run

    def epoch(self, on_step: OnStep | None, interrupted: Interrupt, saver: Saver | None) -> bool:
        """What is left of the epoch under way; False if it was interrupted."""
        recipe, means, start = self.recipe, self.means, budget.now() - self.means.seconds
        for ids, targets, fresh in islice(self.data.batches(self.number), means.steps, None):
            if interrupted.is_set():
                self.stepper.sync()
                return False
            fraction = self.fraction()
            means.lr = learning_rate(recipe, self.optimiser.steps + 1, fraction, self.run.log)
            dropout, words = self._dropout(*ids.shape)
            self._within = True
            result = self.stepper.step(ids, targets, fresh, dropout, self.optimiser.next(means.lr))
            if not (math.isfinite(result.loss) and math.isfinite(result.norm)):
                clip = "none" if recipe.clip is None else f"{recipe.clip:g}"
                raise TrainingDiverged(
                    f"training diverged at epoch {self.number}, step {means.steps + 1}: loss {result.loss:g}, gradient "
                    f"norm {result.norm:g}; use a lower learning rate (now {means.lr:g}) or clip more (now {clip})"
                )
            means.add(result, int(np.count_nonzero(targets >= 0)))
            self.optimiser.done()
            self.masked += words
            self._within = False
            means.seconds = budget.now() - start
            if self.budget:
                self._ending = self._time_is_up()
            if on_step:
                so_far, rate = perplexity(means.nats / means.count / math.log(2)), means.count / means.seconds
                on_step(Step(self.number, recipe.epochs, self.fraction(), so_far, result.norm, rate, means.lr))
            if saver:
                saver.sometimes()
            if self._ending:
                break
        self.stepper.sync()
        return True

    def _done(self) -> bool:
        """Whether no epoch is left: by the budget if there is one, by the recipe's epochs, or by its patience."""
        if self.budget and self.run.log and self._ending:
            return True
        return self.number > self.recipe.epochs or out_of_patience(self.recipe, self.run.log)

    def _measure(self) -> Epoch:
        """The line of the epoch that has just ended; with a budget, a new plan of how many there will be."""
        before, due = self.elapsed(), self.number % self.recipe.eval_every == 0
        if self.budget and not self._ending:  # what is left after measuring may be too little for another epoch
            self._ending = self.budget.fraction(before + due * self.budget.evaluation) >= 1.0
        ended = self._ending if self.budget else self.number == self.recipe.epochs
        with self.optimiser.averaged():
            line = measure(self.model, self.data, self.recipe, self.number, self.means, before, ended)
        if self.budget is None:
            return line
        if line.val_perplexity is not None:
            self.budget.evaluation = self.elapsed() - before
        done = self.number if self._ending else self.budget.epochs(self.number, self.elapsed())
        self.recipe = self.run.recipe = self.recipe.replace(epochs=done)
        part = min(1.0, self.means.count / self.data.size)
        return dataclasses.replace(line, part=round(part, 4), minutes=self.run.minutes)

    def _time_is_up(self) -> bool:
        """Whether the budget has no time for another step and for measuring the last epoch."""
        assert self.budget
        if not self.budget.evaluation:  # not measured yet: to read a character costs about as much as to train on it
            self.budget.evaluation = self.data.held_out * self.means.seconds / self.means.count
        return self.budget.fraction(self.elapsed()) >= 1.0

    def _digest(self) -> bytes:
        """Of what is trained and from where: what all processes must agree on."""
        where = [self.number, self.means.steps, self.optimiser.steps, self.masked]
        what = [str(self.recipe), self.run.corpus["digest"], self.model.fingerprint(), where]
        return hashlib.sha256(json.dumps(what).encode()).digest()

    def fraction(self) -> float:
        """Of all the work, how much is done, 0..1."""
        if self.budget:
            return self.budget.fraction(self.elapsed())
        return (self.number - 1 + min(self.means.count / self.data.size, 1.0)) / self.recipe.epochs

    def elapsed(self) -> float:
        return self.seconds + budget.now() - self._start

    def snapshot(self) -> Checkpoint | None:
        """Where training stands; None: within a step that failed."""
        if self._within:
            return None
        state = {f"state.{i}": part for i, part in enumerate(self.stepper.state)}
        position = (self.number, self.means, self.optimiser.steps, self.masked, self.elapsed())
        return Checkpoint(self.run, *position, self.loaded, state | self.optimiser.tensors())

    def restore(self, checkpoint: Checkpoint) -> None:
        """Stand where `snapshot` stood."""
        self.number, self.means, self.masked = checkpoint.epoch, checkpoint.means, checkpoint.masked
        self.seconds, self._start = checkpoint.seconds, budget.now()
        try:
            self.optimiser.restore(checkpoint.steps, checkpoint.tensors)
            self.stepper.state = self._state(checkpoint.tensors)
        except (KeyError, ValueError) as error:
            raise ModelFileError(f"{self.run.path}: its checkpoint does not fit its recipe: {error}") from None

    def _state(self, tensors: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
        """The carried state, (L, B, H) each. Raises KeyError or ValueError where it is another's."""
        (layers, _, size), most = self.stepper.state[0].shape, self.recipe.batch_size
        coming = next(islice(self.data.batches(self.number), self.means.steps, None), None)
        least = 0 if coming is None or coming[2] else coming[0].shape[1]  # rows that go on with it
        state = tuple(np.array(tensors[f"state.{i}"]) for i in range(self.model.network.cell.states))
        for part in state:
            fits = part.ndim == 3 and part.shape[::2] == (layers, size) and least <= part.shape[1] <= most
            if not (fits and part.dtype == np.float32 and np.isfinite(part).all()):
                expected = f"finite float32 ({layers}, {most}, {size})"
                raise ValueError(f"the carried state is {part.dtype} {part.shape}; expected {expected}")
        return state

    def _dropout(self, steps: int, rows: int) -> tuple[Dropout | None, int]:
        """The next masks, for a batch of (steps, rows), and how many words they take."""
        r, p = self.recipe, self.model.layer.dropout
        if not (p or r.hidden_dropout or r.output_dropout or r.weight_dropout):
            return None, 0
        seed = philox.dropout_seed(r.seed)
        dropout = Dropout(p, seed, self.masked, r.hidden_dropout, r.output_dropout, r.weight_dropout)
        return dropout, sum(mask_words(dropout, self.model.network, steps, rows, r.shards))
