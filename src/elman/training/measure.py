"""What is known of an epoch: the means of its steps, and its line in the log."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from .. import kernels
from ..errors import TrainingDiverged
from ..generation import generate
from ..kernels import StepResult
from ..model import LanguageModel
from ..scoring import perplexity
from .data import Records, Text
from .recipe import Recipe
from .run import Epoch


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


def measure(
    model: LanguageModel, data: Text | Records, recipe: Recipe, epoch: int, means: Means, seconds: float, last: bool
) -> Epoch:
    """An epoch's line in the log, with what is measured and written when it is due, and in the last one anyway."""
    if not is_sound(model):  # the last step's loss was that of the weights before it
        raise TrainingDiverged(
            f"training diverged in the last step of epoch {epoch}: the model's weights or logits are no longer "
            f"finite; use a lower learning rate (now {means.lr:g})"
        )
    held_out = data.held_out_bits(model) if last or epoch % recipe.eval_every == 0 else None
    samples = {}
    if recipe.sample_every and (last or epoch % recipe.sample_every == 0):
        for prompt in recipe.prompts:
            samples[prompt] = generate(model, prompt, recipe.sample_length, temperature=0)
    nats = means.nats / means.count
    return Epoch(
        epoch,
        math.exp(nats) if nats < 700 else math.inf,
        nats / math.log(2) / data.characters_per_token(model.reading.vocabulary),
        None if held_out is None else perplexity(held_out[0]),
        None if held_out is None else held_out[1],
        means.norm / means.steps,
        [norm / means.steps for norm in means.layer_norms],
        round(seconds, 3),
        round(means.count / means.seconds, 1) if means.seconds else 0.0,
        samples,
        means.lr,
    )


def is_sound(model: LanguageModel) -> bool:
    """Whether the model can be used: finite weights, and finite logits after some tokens."""
    norm = kernels.grad_norm(model.parameters())
    if not math.isfinite(norm):
        return False
    factors = model.layer.num_layers + (1 if model.embedding is None else 2)
    if 2 * max(norm, 1.0) < 1e30 ** (1 / factors):
        return True  # embedding, layers and output multiply by less than this: logits after a token stay below 1e38
    return bool(np.isfinite(model(np.arange(min(model.vocab_size, 64))[None])[0]).all())
