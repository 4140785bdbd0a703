"""Measurements of an epoch: the means of its steps, and its line in the log."""

from __future__ import annotations

import math

from ..errors import TrainingDiverged
from ..generation import generate
from ..model import LanguageModel
from ..recipes.recipe import Recipe
from ..runs.log import Epoch
from ..runs.run import Means
from ..runs.saver import is_sound
from ..scoring import perplexity
from .data import Records, Text


def check_sound(model: LanguageModel, epoch: int, means: Means) -> None:
    """Raises TrainingDiverged if the last step ruined the weights: its loss was the earlier weights'."""
    if not is_sound(model):
        raise TrainingDiverged(
            f"training diverged in the last step of epoch {epoch}: the model's weights or logits are no longer "
            f"finite; use a lower learning rate (now {means.lr:g})"
        )


def measure(
    model: LanguageModel, data: Text | Records, recipe: Recipe, epoch: int, means: Means, seconds: float, last: bool
) -> Epoch:
    """An epoch's line in the log, with what is measured and written when it is due, and in the last one anyway."""
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
        None if held_out is None else data.held_out,
        None if held_out is None else data.blocks,
    )
