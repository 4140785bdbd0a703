"""fit(): truncated back-propagation through time with a carried state, clipping by the global norm, and the log.

On the CPU with the native kernel a run is a function of (corpus, recipe, seed) alone: the same bits on any processor.
"""

from __future__ import annotations

import dataclasses
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .. import kernels, philox
from ..corpora import Corpus
from ..errors import InputError, TrainingDiverged
from ..generation import generate
from ..kernels import Dropout, Stepper, StepResult
from ..model import LanguageModel
from ..scoring import perplexity
from .data import Records, Text
from .interrupt import interrupts
from .optimiser import Optimiser
from .recipe import Recipe
from .run import Epoch, Run, Step
from .saver import Saver, is_sound, saved_whatever_happens


def fit(
    model: LanguageModel,
    corpus: Corpus | str,
    recipe: Recipe | None = None,
    *,
    output: str | Path | None = None,
    on_step: Callable[[Step], None] | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    device: str = "cpu",
    plot: bool = False,
    **settings: Any,
) -> Run:
    """Train `model` on `corpus`, in place.

    Args:
        model: its parameters are where training starts from; see LanguageModel.initialise and build_model.
        corpus: from load_corpus; or a str, which is read as the model reads any text.
        recipe: the settings; the book's if None. Those that describe a model (cell, sizes) are not used here.
        output: a folder for model.safetensors and log.jsonl; made if missing. None: nothing is written.
        on_step: called after each step. on_epoch: called after each epoch.
        device: "cpu"; or another one of torch's, such as "cuda", for which `elman[torch]` must be installed.
        plot: draw the curve while training; in a notebook.
        settings: changes to the recipe, for example epochs=100, lr=0.5.
    Returns:
        a Run: the model, the log, and whether Ctrl-C ended it early (after which the model is saved all the same).
    Raises:
        InputError: the corpus is too short for one batch, or a setting is out of range.
        TrainingDiverged: the loss or gradient is infinite or not a number; says where and what to change.
    Source: Zhang et al., Dive into Deep Learning, "Concise Implementation of Recurrent Neural Networks".
    """
    if plot:
        from .live import live_curve

        drawn = live_curve(on_epoch)
        run = fit(model, corpus, recipe, output=output, on_step=on_step, on_epoch=drawn, device=device, **settings)
        drawn.finish()  # type: ignore[attr-defined]
        return run
    recipe = (recipe or Recipe()).replace(**settings)
    if isinstance(corpus, str):
        text = model.reading.prepare(corpus)
        corpus = Corpus("text", text, model.reading.normalisation, "a string", model.reading.records)
    _check_reading(model, corpus)
    corpus = dataclasses.replace(corpus, text=corpus.text[: recipe.max_chars])
    ids = model.reading.vocabulary.encode(corpus.text)
    unknown = model.reading.vocabulary.unknown(ids)
    data = Records(ids, recipe, model.reading.line_end) if corpus.records else Text(ids, recipe)
    about = {"name": corpus.name, "source": corpus.source, "characters": len(ids), "unknown": unknown}
    run, saver = Run(model, recipe, about | {"digest": corpus.digest()}), None
    training = _Training(model, data, recipe, _stepper(model, device))
    if output is not None:
        run.path = Path(output)
        run.path.mkdir(parents=True, exist_ok=True)
        saver = Saver(run)
    start = time.perf_counter()
    with interrupts() as interrupted, saved_whatever_happens(saver):
        for epoch in range(1, recipe.epochs + 1):
            means = training.epoch(epoch, on_step, interrupted, saver)
            if means is None:
                run.interrupted = True
                break
            run.log.append(_measure(model, data, recipe, epoch, means, start))
            if saver:
                saver.after_epoch()
            if on_epoch:
                on_epoch(run.log[-1])
            if interrupted.is_set():
                run.interrupted = epoch < recipe.epochs
                break
    return run


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


def _stepper(model: LanguageModel, device: str) -> Stepper:
    if device == "cpu":
        return kernels.stepper(model.network)
    try:
        from ..torch.device import stepper
    except ModuleNotFoundError as error:
        raise InputError(f"device {device!r}: {error}") from None
    return stepper(model.network, device)


@dataclass
class _Means:
    """Of an epoch's steps so far."""

    steps: int = 0
    count: int = 0
    """Targets."""
    nats: float = 0.0
    norm: float = 0.0
    layer_norms: list[float] = field(default_factory=list)
    rate: float = 0.0
    """Characters per second."""

    def add(self, result: StepResult, counted: int) -> None:
        self.steps, self.count = self.steps + 1, self.count + counted
        self.nats, self.norm = self.nats + result.loss * counted, self.norm + result.norm
        before = self.layer_norms or [0.0] * len(result.layer_norms)
        self.layer_norms = [a + b for a, b in zip(before, result.layer_norms, strict=True)]


class _Training:
    """A model, its data and its optimiser, an epoch at a time."""

    def __init__(self, model: LanguageModel, data: Text | Records, recipe: Recipe, stepper: Stepper) -> None:
        self.model, self.data, self.recipe, self.stepper = model, data, recipe, stepper
        self.optimiser = Optimiser(model.network, recipe)
        self.masked = 0  # words of dropout's stream that are used

    def epoch(
        self,
        epoch: int,
        on_step: Callable[[Step], None] | None,
        interrupted: threading.Event,
        saver: Saver | None,
    ) -> _Means | None:
        """The means of one epoch; None if it was interrupted."""
        recipe, means, start = self.recipe, _Means(), time.perf_counter()
        for ids, targets, fresh in self.data.batches(epoch):
            result = self.stepper.step(ids, targets, fresh, self._dropout(ids.size), self.optimiser.next())
            if not (math.isfinite(result.loss) and math.isfinite(result.norm)):
                clip = "none" if recipe.clip is None else f"{recipe.clip:g}"
                raise TrainingDiverged(
                    f"training diverged at epoch {epoch}, step {means.steps + 1}: loss {result.loss:g}, gradient norm "
                    f"{result.norm:g}; use a lower learning rate (now {recipe.lr:g}) or clip more (now {clip})"
                )
            means.add(result, int(np.count_nonzero(targets >= 0)))
            if on_step:
                rate = means.count / (time.perf_counter() - start)
                fraction = (epoch - 1 + min(means.count / self.data.size, 1.0)) / recipe.epochs
                so_far = perplexity(means.nats / means.count / math.log(2))
                on_step(Step(epoch, recipe.epochs, fraction, so_far, result.norm, rate))
            if saver:
                saver.sometimes(self.stepper)
            if interrupted.is_set():
                break
        means.rate = means.count / (time.perf_counter() - start)
        self.stepper.sync()
        return None if interrupted.is_set() and means.count < self.data.size else means

    def _dropout(self, positions: int) -> Dropout | None:
        """The next masks, for so many positions of a batch."""
        layer = self.model.layer
        if not layer.dropout:
            return None
        offset = self.masked
        self.masked += (layer.num_layers - 1) * positions * layer.hidden_size
        return Dropout(layer.dropout, philox.dropout_seed(self.recipe.seed), offset)


def _measure(
    model: LanguageModel, data: Text | Records, recipe: Recipe, epoch: int, means: _Means, start: float
) -> Epoch:
    """An epoch's line in the log, with what is measured and written when it is due."""
    if not is_sound(model):  # the last step's loss was that of the weights before it
        raise TrainingDiverged(
            f"training diverged in the last step of epoch {epoch}: the model's weights or logits are no longer "
            f"finite; use a lower learning rate (now {recipe.lr:g})"
        )
    last = epoch == recipe.epochs
    val_bits = data.held_out_bits(model) if last or epoch % recipe.eval_every == 0 else None
    samples = {}
    if recipe.sample_every and (last or epoch % recipe.sample_every == 0):
        for prompt in recipe.prompts:
            samples[prompt] = generate(model, prompt, recipe.sample_length, temperature=0)
    nats = means.nats / means.count
    return Epoch(
        epoch,
        math.exp(nats) if nats < 700 else math.inf,
        nats / math.log(2),
        None if val_bits is None else perplexity(val_bits),
        val_bits,
        means.norm / means.steps,
        [norm / means.steps for norm in means.layer_norms],
        round(time.perf_counter() - start, 3),
        round(means.rate, 1),
        samples,
    )
