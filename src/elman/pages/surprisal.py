"""The page of a score: texts coloured by surprisal."""

from __future__ import annotations

from collections.abc import Sequence

from ..model import LanguageModel
from ..scoring import Score
from .page import page


def surprisal_page(model: LanguageModel, scores: Sequence[Score], names: Sequence[str]) -> str:
    """An HTML page that shows what each character of each text cost and what the model expected there.

    Args:
        scores: of `model`; from `score` or `score_many`.
        names: of the texts, to show.
    Returns:
        the whole file, a function of the arguments alone. Bits are kept to a thousandth, and up to 65.535.
    Raises:
        ValueError: no scores, or not a name for each.
    """
    title = names[0] if len(names) == 1 else f"{len(names)} texts"
    return page(model, scores, names, title=f"Surprisal: {title}")
