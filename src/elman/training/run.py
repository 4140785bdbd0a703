"""Run: what a training gives back, and its log, an Epoch at a time."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..model import LanguageModel
from ..typed import Fields
from .recipe import Recipe


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
