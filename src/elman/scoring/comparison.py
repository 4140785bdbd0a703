"""Two models on one text: the log-likelihood ratio, in all and line by line, with an interval."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from .. import philox
from ..errors import InputError
from .lines import token_array
from .scores import Score

_DRAWS = 1000
_GROUPS = 4096  # of neighbouring lines, at most, that are drawn together


@dataclass(frozen=True, eq=False)
class Comparison:
    """How much likelier a text is to one model than to another. Positive: to the first."""

    bits: float
    """log2 of the ratio of the two probabilities: the second one's cost less the first one's."""
    low: float | None
    """Lower end of the 95 % interval; None if the text has one line."""
    high: float | None
    by_line: np.ndarray = field(repr=False)
    """float64 (N,): bits of each line."""
    by_character: np.ndarray = field(repr=False)
    """float64 (C,): bits of each character; 0 where it is left out."""
    unknown: int = 0
    """Characters that are left out: one of the models lacks them, and could not be said to find them likely or not."""

    @property
    def bits_per_char(self) -> float:
        """Mean over the characters that are not left out; 0 if all are."""
        counted = len(self.by_character) - self.unknown
        return self.bits / counted if counted else 0.0


def compare(first: Score, second: Score, seed: int = 0) -> Comparison:
    """The log-likelihood ratio of a text under two models.

    Args:
        first, second: scores of the same text, each by its model. The models may have different vocabularies: a
            character that either lacks is left out, since <unk> is all of them at once. So the order does not matter.
        seed: of the draws for the interval.
    Returns:
        a Comparison; its interval is from a percentile bootstrap over lines, 1,000 draws: what the sum would be for
        other texts whose lines are drawn from these.
    Raises:
        InputError: the models did not read the same text.
    Source: Efron (1979).
    """
    (text, one), (other_text, two) = first.characters(), second.characters()
    if text != other_text or first.records != second.records:
        raise InputError(
            "the models read the text differently, so these are costs of two different texts; compare models with one "
            "normalisation, and all of them by records or none"
        )
    left_out = np.zeros(len(text), dtype=bool)
    for each in (first, second):
        if each.is_unknown is not None:  # its tokens are characters
            left_out |= each.is_unknown
    by_character = np.where(left_out, 0.0, two - one)
    breaks = token_array(text) == ord("\n")
    by_line = np.bincount(np.cumsum(breaks) - breaks, by_character)
    low, high = _interval(by_line, seed) if len(by_line) > 1 else (None, None)
    return Comparison(math.fsum(by_character), low, high, by_line, by_character, int(left_out.sum()))


def _interval(values: np.ndarray, seed: int) -> tuple[float, float]:
    """95 % of the sums of as many values, drawn from these with replacement."""
    edges = np.linspace(0, len(values), min(len(values), _GROUPS) + 1).astype(np.int64)
    groups = np.add.reduceat(values, edges[:-1])
    raw = philox.generator(seed, philox.BOOTSTRAP)
    sums = [
        groups[(philox.unit(raw.random_raw(len(groups))) * len(groups)).astype(np.int64)].sum() for _ in range(_DRAWS)
    ]
    low, high = np.quantile(sums, (0.025, 0.975))
    return float(low), float(high)
