"""Run: what a training gives back; Step and Means: what is known of it meanwhile."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..kernels import StepResult
from ..model import LanguageModel, NgramModel
from ..recipes.recipe import Recipe
from .log import Epoch, finite


@dataclass(frozen=True)
class Step:
    """Progress of training, for a bar or a closer look."""

    epoch: int
    epochs: int
    fraction: float
    """Share of all the work, 0..1."""
    perplexity: float
    """Perplexity of this epoch so far."""
    grad_norm: float
    """Norm of this step's gradient, before clipping."""
    chars_per_second: float
    lr: float = 0.0
    """The learning rate of this step."""


@dataclass
class Run:
    """Result of `fit`. One thread trains it; others may read it when `fit` has returned."""

    model: LanguageModel
    """The network that was trained."""
    recipe: Recipe
    corpus: dict[str, Any]
    log: list[Epoch] = field(default_factory=list)
    interrupted: bool = False
    minutes: float | None = None
    """Minutes of training, resumed ones included, after which it ends; None: after the recipe's epochs."""
    path: Path | None = None
    mixed: NgramModel | None = None
    """`model` with n-grams of its training text, when training has ended; None without `ngrams`, or in another process
    than the first."""
    ngrams: dict[str, Any] | None = None
    """Held-out perplexity and bits of the model with n-grams that the run's folder gives, else of `mixed`."""

    @property
    def perplexity(self) -> float:
        """Perplexity of the training text, in the last epoch."""
        return self.log[-1].train_perplexity if self.log else math.inf

    def __repr__(self) -> str:
        ended = "interrupted after " if self.interrupted else ""
        where = f", {str(self.path)!r}" if self.path else ""
        return f"Run({ended}{len(self.log)} of {self.recipe.epochs} epochs, perplexity {self.perplexity:.3f}{where})"

    def summary(self) -> dict[str, Any]:
        """Summary for the model file: a function of corpus, recipe and seed, so without times."""
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


@dataclass
class Means:
    """Means over an epoch's steps so far; sums until they are divided."""

    steps: int = 0
    count: int = 0
    """Targets."""
    nats: float = 0.0
    norm: float = 0.0
    layer_norms: list[float] = field(default_factory=list)
    seconds: float = 0.0
    """Seconds of training."""
    lr: float = 0.0
    """Learning rate of the last step."""

    def add(self, result: StepResult, counted: int) -> None:
        self.steps, self.count = self.steps + 1, self.count + counted
        self.nats, self.norm = self.nats + result.loss * counted, self.norm + result.norm
        before = self.layer_norms or [0.0] * len(result.layer_norms)
        self.layer_norms = [a + b for a, b in zip(before, result.layer_norms, strict=True)]
