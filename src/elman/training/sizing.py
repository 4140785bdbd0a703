"""How much to train when nobody says: epochs and batch by the size of the text, or epochs by a budget of minutes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ..errors import InputError

if TYPE_CHECKING:
    from ..corpora import Corpus
    from .recipe import Recipe

_CHARACTERS = 20_000_000  # to train on, over all epochs: some minutes on two cores
_STEPS = 20  # in an epoch at least: fewer of them teach a small text's model little in any number of epochs
_SMALLEST = 4  # rows of a batch
_LEAST = 200  # steps in all, of which the best held-out model is kept
_PROBE = 2.0  # seconds of training that measure the speed, about


def for_size(recipe: Recipe, text: Corpus, given: dict[str, Any]) -> Recipe:
    """The recipe, with fewer epochs of a large text, more of a small one and a smaller batch; not what is `given`."""
    size = len(text)
    rows = text.num_records if text.records else size // recipe.seq_length
    if "batch_size" not in given:
        recipe = recipe.replace(batch_size=max(_SMALLEST, min(recipe.batch_size, rows // _STEPS)))
    if "epochs" not in given:
        steps = max(_STEPS, rows // recipe.batch_size)  # in an epoch, about
        recipe = recipe.replace(epochs=max(1, min(max(recipe.epochs, _LEAST // steps), round(_CHARACTERS / size))))
    return recipe


def for_minutes(minutes: float, recipe: Recipe, text: Corpus) -> tuple[Recipe, Corpus]:
    """The recipe with as many epochs as fit into the minutes here; and the text, its first part only if less than one
    epoch of it fits. The speed is measured on the text's beginning.

    Raises:
        InputError: minutes that are not above 0, or a text too short to train on.
    """
    if not 0 < minutes < 1e6:
        raise InputError(f"--minutes must be above 0, got {minutes:g}")
    rate = _characters_per_second(recipe, text)
    most = int(minutes * 60 * rate)
    trained = len(text) * (1 - recipe.val_fraction)
    if most >= trained:
        return recipe.replace(epochs=int(most / trained)), text
    cut = max(1, int(len(text) * most / trained))
    if text.records:
        cut = text.text.rfind("\n" if isinstance(text.text, str) else b"\n", 0, cut) + 1 or len(text)  # type: ignore[arg-type]
    return recipe.replace(epochs=1, max_chars=cut), text.first(cut)


def _characters_per_second(recipe: Recipe, text: Corpus) -> float:
    """Of training as the recipe says; grows what it trains on until that takes long enough to be measured."""
    from .build import build_model
    from .loop import fit

    model = build_model(text, recipe)
    size = 4 * (recipe.batch_size + 1) * recipe.seq_length
    while True:
        part = text.beginning(size)
        quiet = recipe.replace(epochs=1, val_fraction=0.0, sample_every=0, max_chars=None)
        start = time.perf_counter()
        run = fit(model, part, quiet)
        seconds = time.perf_counter() - start
        if seconds > _PROBE / 2 or size >= len(text):
            tokens = len(part.ids(model.reading.vocabulary))
            return max(1.0, run.log[-1].chars_per_second * len(part) / tokens) if run.log else 1.0
        size = int(size * min(8.0, max(1.5, _PROBE / max(seconds, 1e-3))))
