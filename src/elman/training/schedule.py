"""Schedule: the learning rate of each step, a function of the recipe, the step's place in the work and the log.

Additions and multiplications in float64 alone, so that it has the same bits on every machine; libm's cos would not.
"""

from __future__ import annotations

from collections.abc import Sequence

from .recipe import Recipe
from .run import Epoch


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


def best(log: Sequence[Epoch]) -> Epoch | None:
    """The first of the epochs with the lowest held-out loss; None: none was measured."""
    measured = [epoch for epoch in log if epoch.val_bits_per_char is not None]
    return min(measured, key=lambda epoch: epoch.val_bits_per_char or 0.0) if measured else None


def no_better(log: Sequence[Epoch]) -> list[Epoch]:
    """The epochs whose held-out text was measured and cost no less than the lowest before."""
    lowest, worse = float("inf"), []
    for epoch in log:
        if epoch.val_bits_per_char is None:
            continue
        if epoch.val_bits_per_char < lowest:
            lowest = epoch.val_bits_per_char
        else:
            worse.append(epoch)
    return worse


def out_of_patience(recipe: Recipe, log: Sequence[Epoch]) -> bool:
    """Whether the last `patience` measurements were all no better than the best before them."""
    if recipe.patience is None:
        return False
    lowest, worse = best(log), no_better(log)
    return lowest is not None and sum(epoch.epoch > lowest.epoch for epoch in worse) >= recipe.patience
