"""fit(): truncated back-propagation through time with a carried state, clipping by the global norm, and the log.

On the CPU with the native kernel a run is a function of (corpus, recipe, seed) alone: the same bits on any processor.
"""

from __future__ import annotations

import json
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import kernels, philox
from ..corpora import Corpus
from ..errors import InputError, TrainingDiverged
from ..files import append_line
from ..generation import generate
from ..model import LanguageModel, ModelState, evaluating, make_layer, save
from ..scoring import first_rows, perplexity
from .data import Records, Text
from .recipe import Recipe

_SAVE_SECONDS = 30.0  # a run that is killed loses at most this much


@dataclass(frozen=True)
class Epoch:
    """One line of log.jsonl. Perplexity is exp of the mean nats per character over the epoch, as in the book.

    That of the held-out text is what `score` finds for it, its first character included; None: not measured.
    """

    epoch: int
    train_perplexity: float
    train_bits_per_char: float
    val_perplexity: float | None
    val_bits_per_char: float | None
    grad_norm: float
    """Mean over the epoch's steps, before clipping."""
    layer_grad_norms: list[float]
    """The same of each layer's parameters alone, the lowest first, and of the dense output's."""
    seconds: float
    """Since training began."""
    chars_per_second: float
    """Of this epoch's training, without its evaluation."""
    samples: dict[str, str] = field(default_factory=dict)
    """Prompt -> its greedy continuation, on the epochs that have them."""


@dataclass(frozen=True)
class Step:
    """Where training stands, for a progress bar or a closer look."""

    epoch: int
    epochs: int
    fraction: float
    """Of all the work, 0..1."""
    perplexity: float
    """Of this epoch so far."""
    grad_norm: float
    """Of this step, before clipping."""
    chars_per_second: float


@dataclass
class Run:
    """What `fit` returns."""

    model: LanguageModel
    recipe: Recipe
    corpus: dict[str, Any]
    log: list[Epoch] = field(default_factory=list)
    interrupted: bool = False
    path: Path | None = None

    @property
    def perplexity(self) -> float:
        """Of the training text, in the last epoch."""
        return self.log[-1].train_perplexity if self.log else math.inf

    def summary(self) -> dict[str, Any]:
        """For the model file: a function of corpus, recipe and seed, so without times."""
        recipe = asdict(self.recipe) | {"prompts": list(self.recipe.prompts)}
        last = self.log[-1] if self.log else None
        return {
            "corpus": self.corpus,
            "recipe": recipe,
            "epochs_done": len(self.log),
            "train_perplexity": _finite(last.train_perplexity) if last else None,
            "val_perplexity": _finite(last.val_perplexity) if last else None,
        }


def fit(
    model: LanguageModel,
    corpus: Corpus | str,
    recipe: Recipe | None = None,
    *,
    output: str | Path | None = None,
    on_step: Callable[[Step], None] | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    **settings: Any,
) -> Run:
    """Train `model` on `corpus`, in place.

    Args:
        model: its parameters are where training starts from; see LanguageModel.initialise and build_model.
        corpus: from load_corpus, or a str. A model without a vocabulary gets the corpus's.
        recipe: the settings; the book's if None. Those that describe a model (cell, sizes) are not used here.
        output: a folder for model.safetensors and log.jsonl; made if missing. None: nothing is written.
        on_step: called after each step. on_epoch: called after each epoch.
        settings: changes to the recipe, for example epochs=100, lr=0.5.
    Returns:
        a Run: the model, the log, and whether Ctrl-C ended it early (after which the model is saved all the same).
    Raises:
        ValueError: the corpus is too short for one batch, does not fit the vocabulary, or a setting is out of range.
        TrainingDiverged: the loss or gradient is infinite or not a number; says where and what to change.
    Source: Zhang et al., Dive into Deep Learning, "Concise Implementation of Recurrent Neural Networks".
    """
    recipe = (recipe or Recipe()).replace(**settings)
    if isinstance(corpus, str):
        corpus = Corpus(name="text", text=corpus, normalisation="none", source="a string")
    ids = _encode(model, corpus, recipe)
    data = (Records if corpus.records else Text)(model, ids, recipe)
    unknown = model.vocabulary.unknown(ids)  # type: ignore[union-attr]
    run = Run(
        model,
        recipe,
        {
            "name": corpus.name,
            "source": corpus.source,
            "characters": len(ids),
            "unknown": unknown,
        },
    )
    saver = None
    if output is not None:
        run.path = Path(output)
        run.path.mkdir(parents=True, exist_ok=True)
        saver = _Saver(run)
    model.check_parameters()
    optimizer = _Optimizer(model, recipe)
    model.layer.dropout_seed, model.layer.dropout_offset = philox.dropout_seed(recipe.seed), 0
    start = time.perf_counter()
    with _interrupts() as interrupted, _saved_whatever_happens(saver):
        for epoch in range(1, recipe.epochs + 1):
            record = _train_epoch(model, data, recipe, epoch, optimizer, on_step, interrupted, saver)
            if record is None:
                run.interrupted = True
                break
            if not _sound(model):  # the last step's loss was that of the weights before it
                raise TrainingDiverged(
                    f"training diverged in the last step of epoch {epoch}: the model's weights or logits are no longer "
                    f"finite; use a lower learning rate (now {recipe.lr:g})"
                )
            due = epoch % recipe.eval_every == 0 or epoch == recipe.epochs
            val_bits = data.held_out_bits(model) if due else None
            samples = {}
            if recipe.sample_every and (epoch % recipe.sample_every == 0 or epoch == recipe.epochs):
                for prompt in recipe.prompts:
                    samples[prompt] = generate(model, prompt, recipe.sample_length, temperature=0)
            nats, grad_norm, layer_grad_norms, rate = record
            run.log.append(
                Epoch(
                    epoch,
                    math.exp(nats) if nats < 700 else math.inf,
                    nats / math.log(2),
                    None if val_bits is None else perplexity(val_bits),
                    val_bits,
                    grad_norm,
                    layer_grad_norms,
                    round(time.perf_counter() - start, 3),
                    round(rate, 1),
                    samples,
                )
            )
            if saver:
                saver.after_epoch()
            if on_epoch:
                on_epoch(run.log[-1])
            if interrupted.is_set():
                run.interrupted = epoch < recipe.epochs
                break
    model.eval()
    return run


def _finite(perplexity: float | None) -> float | None:
    """None for infinity, which JSON does not have; the bits beside it say the same."""
    return None if perplexity == math.inf else perplexity


class _Saver:
    """Writes a run's folder. What an earlier run left there stays until the first model of this one is whole."""

    def __init__(self, run: Run) -> None:
        assert run.path is not None
        self.run, self.model, self._last = run, run.path / "model.safetensors", time.perf_counter()
        self._log = run.path / "log.jsonl"
        self._new_log = run.path / "log.new.jsonl" if self.model.exists() else self._log
        self._new_log.unlink(missing_ok=True)
        self._good: list[np.ndarray] | None = None

    def after_epoch(self) -> None:
        epoch = asdict(self.run.log[-1])
        epoch |= {name: _finite(epoch[name]) for name in ("train_perplexity", "val_perplexity")}
        append_line(self._new_log, json.dumps(epoch, ensure_ascii=False, allow_nan=False))
        self._good = [p.detach().cpu().numpy().copy() for p in self.run.model.parameters()]
        self.sometimes()

    def sometimes(self) -> None:
        """Save if the last time is long ago: a run that is killed loses at most `_SAVE_SECONDS`."""
        if time.perf_counter() - self._last > _SAVE_SECONDS and _sound(self.run.model):
            self.save()

    def save(self) -> None:
        save(self.run.model, self.model, self.run.summary())
        if self._new_log != self._log and self._new_log.exists():
            self._new_log.replace(self._log)
            self._new_log = self._log
        self._last = time.perf_counter()

    def end(self) -> None:
        if not _sound(self.run.model):  # stopped within an epoch, by a step that ruined it
            self.go_back()
            raise TrainingDiverged("training diverged in its last step: the model's weights or logits are not finite")
        self.save()

    def go_back(self) -> None:
        """After a divergence: save the last whole epoch; without one, an earlier run's model stays if there is one."""
        if self._good is not None:
            with torch.no_grad():
                for parameter, good in zip(self.run.model.parameters(), self._good, strict=True):
                    parameter.copy_(torch.from_numpy(good))
        if self._good is not None or not self.model.exists():
            with suppress(InputError):  # weights that no file can hold
                self.save()
        elif self._new_log != self._log:
            self._new_log.unlink(missing_ok=True)


@torch.no_grad()
def _sound(model: LanguageModel) -> bool:
    """Whether the model can be used: finite weights, and finite logits after some tokens."""
    norm = kernels.grad_norm(list(model.parameters()))  # torch would wake threads that spin on the kernel's cores
    if not math.isfinite(norm):
        return False
    if 2 * max(norm, 1.0) < 1e30 ** (1 / (model.layer.num_layers + 1)):
        return True  # each layer and the output multiply by less than this: logits after a token stay far below 1e38
    ids = torch.arange(min(model.vocab_size, 64), device=model.output.weight.device)[None]
    with evaluating():
        return bool(model(ids)[0].isfinite().all())


@contextmanager
def _saved_whatever_happens(saver: _Saver | None) -> Iterator[None]:
    """Save at the end, also where a callback fails because its reader has gone, or memory or the disk ends."""
    try:
        yield
    except TrainingDiverged:
        if saver:
            saver.go_back()
        raise
    except (Exception, SystemExit):
        with suppress(Exception):
            if saver and _sound(saver.run.model):
                saver.save()
        raise
    if saver:
        saver.end()


def _encode(model: LanguageModel, corpus: Corpus, recipe: Recipe) -> np.ndarray:
    """The ids of the corpus, whose vocabulary a model without one gets."""
    if model.vocabulary is None:
        vocabulary = corpus.vocabulary()
        if len(vocabulary) != model.vocab_size:
            raise InputError(
                f"the corpus has a vocabulary of {len(vocabulary)} but the model's vocab_size is {model.vocab_size}; "
                f"build the model with vocab_size={len(vocabulary)}"
            )
        model.vocabulary, model.normalisation = vocabulary, corpus.normalisation
    model.records = corpus.records
    text = corpus.text[: recipe.max_chars] if recipe.max_chars else corpus.text
    return model.vocabulary.encode(text)


def _train_epoch(
    model: LanguageModel,
    data: Text | Records,
    recipe: Recipe,
    epoch: int,
    optimizer: _Optimizer,
    on_step: Callable[[Step], None] | None,
    interrupted: threading.Event,
    saver: _Saver | None,
) -> tuple[float, float, list[float], float] | None:
    """Mean nats, mean gradient norms and characters per second of one epoch; None if it was interrupted."""
    model.train()
    start, total, count, norms, done = time.perf_counter(), 0.0, 0, 0.0, 0
    each = len(list(model.layer.parameters())) // model.layer.num_layers
    parts = [slice(i * each, (i + 1) * each) for i in range(model.layer.num_layers)]
    parts.append(slice(len(parts) * each, None))
    layer_norms = [0.0] * len(parts)
    state: ModelState | None = None
    for inputs, targets, fresh in data.batches(epoch):
        rows = len(inputs)
        before = first_rows(state, rows) if state is not None and not fresh else model.begin_state(rows)
        assert before is not None
        counted = int((targets >= 0).sum())
        loss, state, grads = model.loss_and_grads(inputs.t().contiguous(), targets.t().contiguous(), before)
        if optimizer.frozen:
            grads = [torch.zeros_like(g) if i in optimizer.frozen else g for i, g in enumerate(grads)]
        norm = kernels.grad_norm(grads)
        if not (math.isfinite(loss) and math.isfinite(norm)):
            clip = "none" if recipe.clip is None else f"{recipe.clip:g}"
            raise TrainingDiverged(
                f"training diverged at epoch {epoch}, step {done + 1}: loss {loss:g}, gradient norm {norm:g}; "
                f"use a lower learning rate (now {recipe.lr:g}) or clip more (now {clip})"
            )
        layer_norms = [n + kernels.grad_norm(grads[part]) for n, part in zip(layer_norms, parts, strict=True)]
        optimizer.step(grads, norm)
        total, count, norms, done = total + loss * counted, count + counted, norms + norm, done + 1
        if on_step:
            rate = count / (time.perf_counter() - start)
            fraction = (epoch - 1 + min(count / data.size, 1.0)) / recipe.epochs
            on_step(Step(epoch, recipe.epochs, fraction, perplexity(total / count / math.log(2)), norm, rate))
        if saver:
            saver.sometimes()
        if interrupted.is_set():
            break
    if interrupted.is_set() and count < data.size:
        return None
    seconds = time.perf_counter() - start
    return total / count, norms / done, [n / done for n in layer_norms], count / seconds


class _Optimizer:
    """SGD, Adam or AdamW through `kernels`, so that an update has the same bits everywhere."""

    def __init__(self, model: LanguageModel, recipe: Recipe) -> None:
        self.params = list(model.parameters())
        self.frozen = {i for i, p in enumerate(self.params) if not p.requires_grad}
        """Indices of the parameters that stay as they are."""
        if len(self.frozen) == len(self.params):
            raise InputError("every parameter is frozen, so there is nothing to train; set requires_grad on some")
        self.recipe, self.steps = recipe, 0
        if recipe.optimizer != "sgd":
            self.exp_avg = [torch.zeros_like(p) for p in self.params]
            self.exp_avg_sq = [torch.zeros_like(p) for p in self.params]

    @torch.no_grad()
    def step(self, grads: list[torch.Tensor], norm: float) -> None:
        """Update, with the gradients scaled down to the clipping norm if `norm`, which is theirs, is above it."""
        clip, free = self.recipe.clip, [i for i in range(len(grads)) if i not in self.frozen]
        scale = clip / norm if clip is not None and norm > clip else 1.0
        self.steps += 1
        params, grads = [self.params[i] for i in free], [grads[i] for i in free]
        if self.recipe.optimizer == "sgd":
            kernels.sgd_(params, grads, self.recipe.lr, scale)
            return
        decay = self.recipe.weight_decay if self.recipe.optimizer == "adamw" else 0.0
        mean, square = ([kept[i] for i in free] for kept in (self.exp_avg, self.exp_avg_sq))
        kernels.adamw_(params, grads, mean, square, self.steps, self.recipe.lr, weight_decay=decay, scale=scale)


_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """Turn Ctrl-C, a request to end and a closed terminal into an event that is looked at between steps; a second one
    ends the program at once."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def on_signal(*_: object) -> None:
        restore()
        event.set()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    # One that the caller ignores, as nohup does with SIGHUP, stays ignored; a handler not set from Python is unknown.
    before: dict[int, Any] = {n: signal.getsignal(n) for n in _SIGNALS}
    before = {n: handler for n, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, on_signal)
    try:
        yield event
    finally:
        restore()


def build_model(corpus: Corpus, recipe: Recipe | None = None, **settings: Any) -> LanguageModel:
    """The model that a recipe describes, for the corpus's vocabulary, with the initial weights of the recipe's seed.

    Args:
        settings: changes to the recipe, for example hidden_size=512, cell="lstm".
    """
    recipe = (recipe or Recipe()).replace(**settings)
    vocabulary = corpus.vocabulary()
    layer = make_layer(recipe.cell, len(vocabulary), recipe.hidden_size, recipe.num_layers, recipe.dropout)
    model = LanguageModel(layer, len(vocabulary), vocabulary, corpus.normalisation, corpus.records)
    return model.initialise(recipe.seed, recipe.init_std)
