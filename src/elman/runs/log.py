"""Run: what a training gives back, and its log, an Epoch at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..kernels import StepResult
from ..model import LanguageModel
from ..recipes.recipe import Recipe
from ..typed import Fields


@dataclass(frozen=True)
class Epoch:
    """One line of log.jsonl. Perplexity is exp of the mean nats per token over the epoch: per character, as in the
    book, where tokens are characters. Where they are bytes, bits are per byte.

    For the held-out text this equals what `score` finds for it; None: not measured.
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
    lr: float = 0.0
    """The learning rate of the last step."""
    part: float = 1.0
    """Share of the epoch that was trained: below 1 where the time of `minutes` ended it."""
    minutes: float | None = None
    """Time that was asked for: the run followed the clock, so it is no function of text, recipe and seed alone."""


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
    lr: float = 0.0
    """The learning rate of this step."""


@dataclass
class Run:
    """What `fit` returns. One thread trains it; others may read it when `fit` has returned."""

    model: LanguageModel
    recipe: Recipe
    corpus: dict[str, Any]
    log: list[Epoch] = field(default_factory=list)
    interrupted: bool = False
    minutes: float | None = None
    """Minutes of training, resumed ones included, after which it ends; None: after the recipe's epochs."""
    path: Path | None = None

    @property
    def perplexity(self) -> float:
        """Of the training text, in the last epoch."""
        return self.log[-1].train_perplexity if self.log else math.inf

    def __repr__(self) -> str:
        ended = "interrupted after " if self.interrupted else ""
        where = f", {str(self.path)!r}" if self.path else ""
        return f"Run({ended}{len(self.log)} of {self.recipe.epochs} epochs, perplexity {self.perplexity:.3f}{where})"

    def summary(self) -> dict[str, Any]:
        """For the model file: a function of corpus, recipe and seed, so without times."""
        recipe = asdict(self.recipe) | {"prompts": list(self.recipe.prompts)}
        last = self.log[-1] if self.log else None
        return {
            "corpus": self.corpus,
            "recipe": recipe,
            "epochs_done": len(self.log),
            **({} if self.minutes is None else {"minutes": self.minutes}),
            "train_bits_per_char": finite(last.train_bits_per_char) if last else None,
            "val_bits_per_char": finite(last.val_bits_per_char) if last else None,
        }


def as_json(epoch: Epoch) -> dict[str, Any]:
    """What JSON can hold of an epoch."""
    line = asdict(epoch)
    for name, usual in (("part", 1.0), ("minutes", None)):
        if line[name] == usual:
            del line[name]
    return line | {name: finite(line[name]) for name in ("train_perplexity", "val_perplexity")}


def from_json(line: Fields) -> Epoch:
    """The inverse of `as_json`. Raises InputError where a field is missing or of another type."""
    held_out = line.number("val_bits_per_char", None)
    samples = line.inner("samples", {})
    return Epoch(
        line.whole("epoch", at_least=1),
        line.number("train_perplexity", math.inf),
        line.number("train_bits_per_char"),
        line.number("val_perplexity", None if held_out is None else math.inf),
        held_out,
        line.number("grad_norm"),
        line.numbers("layer_grad_norms"),
        line.number("seconds"),
        line.number("chars_per_second"),
        {prompt: samples.text(prompt) for prompt in samples.value},
        line.number("lr", 0.0),
        line.number("part", 1.0),
        line.number("minutes", None),
    )


def finite(value: float | None) -> float | None:
    """None for infinity, which JSON does not have."""
    return None if value == math.inf else value


@dataclass
class Means:
    """Of an epoch's steps so far; sums until they are divided."""

    steps: int = 0
    count: int = 0
    """Targets."""
    nats: float = 0.0
    norm: float = 0.0
    layer_norms: list[float] = field(default_factory=list)
    seconds: float = 0.0
    """Of training."""
    lr: float = 0.0
    """Of the last step."""

    def add(self, result: StepResult, counted: int) -> None:
        self.steps, self.count = self.steps + 1, self.count + counted
        self.nats, self.norm = self.nats + result.loss * counted, self.norm + result.norm
        before = self.layer_norms or [0.0] * len(result.layer_norms)
        self.layer_norms = [a + b for a, b in zip(before, result.layer_norms, strict=True)]


def best(log: Sequence[Epoch]) -> Epoch | None:
    """The first of the epochs with the lowest held-out loss; None: none was measured."""
    measured = [epoch for epoch in log if epoch.val_bits_per_char is not None]
    return min(measured, key=lambda epoch: epoch.val_bits_per_char or 0.0) if measured else None


def no_better(log: Sequence[Epoch]) -> list[Epoch]:
    """The epochs whose held-out text was measured and cost no less than the lowest before."""
    lowest, worse = float("inf"), []
    for epoch in log:
        if epoch.val_bits_per_char is None:
            continue
        if epoch.val_bits_per_char < lowest:
            lowest = epoch.val_bits_per_char
        else:
            worse.append(epoch)
    return worse


def out_of_patience(recipe: Recipe, log: Sequence[Epoch]) -> bool:
    """Whether the last `patience` measurements were all no better than the best before them."""
    if recipe.patience is None:
        return False
    lowest, worse = best(log), no_better(log)
    return lowest is not None and sum(epoch.epoch > lowest.epoch for epoch in worse) >= recipe.patience


def check_minutes(minutes: float) -> None:
    if not 0 < minutes < 1e6:
        raise InputError(f"--minutes must be above 0 and below a million, got {minutes:g}")
