"""How much to train within a budget of minutes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..given import amount
from . import budget
from .choice import for_passes

if TYPE_CHECKING:
    from ..corpora import Corpus
    from ..recipes.recipe import Recipe

_WHOLE = 0.5
"""Part of an epoch that must fit, or the text is cut: a part of an epoch is spread over the text."""
_PROBE = 2.0  # seconds of training that measure the speed, at most, about


def for_minutes(minutes: float, recipe: Recipe, text: Corpus, given: Mapping[str, Any] | None = None) -> Sized:
    """How to train on a text for so many minutes here: for about how many epochs, and on its first part only if less
    than half an epoch of it would fit. The speed is measured on the text's beginning; `fit` follows the clock from
    there.

    Args:
        given: settings of a recipe that was chosen for the text, which are to stay as they are; the others may suit
            the time. None: all are to stay.
    Raises:
        InputError: minutes that are not above 0, or a text too short to train on.
    """
    amount("minutes", minutes)
    begin = budget.now()
    if given is not None and "networks" not in given:
        recipe = recipe.replace(networks=1)  # one is measured, and chosen from
    rate = _characters_per_second(recipe, text, min(_PROBE, 3.0 * minutes))
    left = round(minutes - min(0.5 * minutes, (budget.now() - begin) / 60), 5)
    most = int(left * 60 * rate)
    if given is not None:
        recipe = for_passes(recipe, most / max(1, len(text)), given)
    else:
        recipe = recipe.replace(epochs=max(1, most // max(1, len(text))))
    if most >= _WHOLE * len(text):
        return Sized(recipe, text, left, "")
    cut = max(most, _fewest(recipe))
    if text.records and cut < len(text):
        end = "\n" if isinstance(text.text, str) else b"\n"
        cut = text.text.rfind(end, 0, cut) + 1 or text.text.find(end, cut) + 1 or len(text)  # type: ignore[arg-type]
    if cut >= len(text):
        return Sized(recipe.replace(epochs=1), text, left, "")
    unit, all_of_it = "bytes" if text.is_bytes else "characters", len(text) / rate / 60
    why = (
        f"the first {cut:,} of {len(text):,} {unit} only: one epoch of all would take about {_minutes(all_of_it)} "
        f"here, and `minutes` is {minutes:g}"
    )
    return Sized(recipe.replace(epochs=1, max_chars=cut), text.first(cut), left, why)


@dataclass(frozen=True)
class Sized:
    """Result of `for_minutes`."""

    recipe: Recipe
    text: Corpus
    minutes: float
    """Minutes that are left to train."""
    left_out: str
    """A line about what of the text is not trained on; "" if all is."""


def _fewest(recipe: Recipe) -> int:
    """Characters that make a batch, with what is held out of them."""
    return int(4 * (recipe.batch_size + 1) * recipe.seq_length / (1 - recipe.val_fraction))


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
        quiet = recipe.replace(epochs=1, val_fraction=0.0, patience=None, sample_every=0, max_chars=None)
        if quiet.schedule == "plateau":
            quiet = quiet.replace(schedule="constant")
        start = budget.now()
        run = fit(model, part, quiet)
        seconds = budget.now() - start
        if seconds > probe / 2 or size >= len(text):
            tokens = len(part.ids(model.reading.vocabulary))
            return max(1.0, run.log[-1].chars_per_second * len(part) / tokens) if run.log else 1.0
        size = int(size * min(8.0, max(1.5, probe / max(seconds, 1e-3))))
