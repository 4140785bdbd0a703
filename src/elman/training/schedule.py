"""Schedule: the learning rate of each step, a function of the recipe, the step's place in the work and the log.

Additions and multiplications in float64 alone, so it has the same bits on every machine; libm's cos would not.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..recipes.recipe import Recipe
from ..runs.log import Epoch, no_better


def learning_rate(recipe: Recipe, step: int, fraction: float, log: Sequence[Epoch]) -> float:
    """The rate of a step.

    Args:
        step: from 1. fraction: of the whole work that is done before it, 0..1.
        log: of the epochs before this one.
    """
    warm = min(1.0, step / recipe.warmup) if recipe.warmup else 1.0
    if recipe.schedule == "linear":
        return recipe.lr * warm * (1.0 - fraction)
    if recipe.schedule == "cosine":
        return recipe.lr * warm * falling_cosine(fraction)
    if recipe.schedule == "plateau":
        return recipe.lr * warm * 0.5 ** len(no_better(log))
    return recipe.lr * warm


def falling_cosine(x: float) -> float:
    """(1 + cos(pi x)) / 2 for x in 0..1: from 1 to 0. Within 1e-15."""
    angle = 3.141592653589793 * (x - 0.5)  # cos(pi x) = -sin(angle), and the series is short for |angle| <= pi / 2
    square, series = angle * angle, 0.0
    for k in range(23, 1, -2):  # the next term is below 1e-20
        series = (1.0 + series) * -square / (k * (k - 1))
    return (1.0 - angle * (1.0 + series)) / 2.0
