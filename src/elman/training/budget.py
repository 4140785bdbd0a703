"""Budget: a training that ends by the clock. How far it is, when it ends and how many epochs it will have had.

Such a run is not a function of text, recipe and seed alone: the schedule of the learning rate and the last step follow
the speed of the machine, whatever else it does. The log says so, in a field `minutes` of each line.
"""

from __future__ import annotations

import time

from .. import given


def now() -> float:
    """Seconds of the clock by which training is measured."""
    return time.perf_counter()


class Budget:
    """Seconds of training, those before a resume included.

    Args:
        minutes: for all of it.
    Raises:
        InputError: minutes that are not above 0.
    """

    def __init__(self, minutes: float) -> None:
        given.amount("minutes", minutes)
        self._seconds = 60.0 * minutes
        self.evaluation = 0.0
        """Seconds that measuring an epoch takes, as far as known: the last one must fit too."""

    def fraction(self, elapsed: float) -> float:
        """The share of the time for steps that has gone, 0..1."""
        return min(1.0, elapsed / max(self._seconds - self.evaluation, 1e-9))

    def epochs(self, done: int, elapsed: float) -> int:
        """How many there will be, at the speed so far: one more than are done at least."""
        return max(done + 1, round(done * self._seconds / max(elapsed, 1e-9)))
