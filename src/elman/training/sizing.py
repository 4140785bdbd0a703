"""How much to train within a budget of minutes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..given import amount
from . import budget
from .choice import BY_TIME, characters_learned, characters_per_token, for_passes

if TYPE_CHECKING:
    from ..corpora import Corpus
    from ..recipes.recipe import Recipe

_WHOLE = 0.5
"""Part of an epoch that must fit, or the text's beginning is cut: a part of an epoch is spread over the text."""
_PROBE = 2.0  # seconds of training that measure the speed, at most, about


def for_minutes(minutes: float, recipe: Recipe, text: Corpus, given: Collection[str] = BY_TIME) -> Sized:
    """How to train on a text for so many minutes here: for about how many epochs, and on its last part only, which is
    nearest to what comes next, if less than half an epoch of it would fit. Records come shuffled, so any part of an
    epoch of them is as good. The speed is measured on the text's beginning; `fit` follows the clock from there.

    Args:
        given: settings that stay as they are; the others of `choice.BY_TIME` may suit the time.
    Raises:
        InputError: minutes that are not above 0, or a text too short to train on.
    """
    amount("minutes", minutes)
    begin, size = budget.now(), characters_learned(text, recipe)
    rate = _characters_per_second(recipe.replace(networks=1), text, min(_PROBE, 3.0 * minutes))
    left = round(minutes - min(0.5 * minutes, (budget.now() - begin) / 60), 5)
    recipe = for_passes(recipe, left * 60 * rate / size, given)
    fewest = 4 * (recipe.batch_size + 1) * recipe.seq_length / (1 - recipe.val_fraction)  # of tokens: a batch
    per_token = characters_per_token(text)
    epochs = max(left * 60 * rate / recipe.networks, fewest * per_token) / size
    if epochs >= _WHOLE or text.records:
        return Sized(recipe, left, epochs, "")
    last, unit = int(epochs * size / per_token), text.vocabulary().unit
    why = (
        f"the last {last:,} of about {size / per_token:,.0f} {unit}s only: one epoch of all would take about "
        f"{_minutes(size * recipe.networks / rate / 60)} here, and `minutes` is {minutes:g}"
    )
    return Sized(recipe.replace(last_tokens=last), left, 1.0, why)


@dataclass(frozen=True)
class Sized:
    """Result of `for_minutes`."""

    recipe: Recipe
    minutes: float
    """Minutes that are left to train."""
    epochs: float
    """Epochs that fit, about: of records it may be a part of one."""
    left_out: str
    """A line about what of the text is not trained on; "" if all is."""


def _minutes(minutes: float) -> str:
    return f"{minutes:.2g} minutes" if minutes < 10 else f"{minutes:,.0f} minutes"


def _characters_per_second(recipe: Recipe, text: Corpus, probe: float) -> float:
    """Speed of training with the recipe, measured on a part of the text that grows until it takes long enough.

    Args:
        probe: seconds that it should take, about.
    """
    from .build import build_model
    from .train import fit

    model = build_model(text, recipe)
    size = 4 * (recipe.batch_size + 1) * recipe.seq_length
    while True:
        part = text.beginning(size)
        quiet = recipe.replace(epochs=1, val_fraction=0.0, patience=None, sample_every=0)
        quiet = quiet.replace(max_chars=None, last_tokens=None)
        if quiet.schedule == "plateau":
            quiet = quiet.replace(schedule="constant")
        start = budget.now()
        run = fit(model, part, quiet)
        seconds = budget.now() - start
        if seconds > probe / 2 or size >= len(text):
            tokens = len(part.ids(model.reading.vocabulary))
            return max(1.0, run.log[-1].chars_per_second * len(part) / tokens) if run.log else 1.0
        size = int(size * min(8.0, max(1.5, probe / max(seconds, 1e-3))))
