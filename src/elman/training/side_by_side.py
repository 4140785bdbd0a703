"""SideBySide: steps of several networks at once, each computed by one thread alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from .. import kernels
from ..kernels import Stepper

_Result = TypeVar("_Result")


class SideBySide:
    """Runs a step of each network: as many at once as the kernel has threads, where there are so many.

    Two threads that share one step wait for each other at each of its parts. With a network for each thread they need
    not, and no result depends on it.

    Args:
        steppers: one for each network.
    """

    def __init__(self, steppers: Sequence[Stepper]) -> None:
        threads = kernels.threads() if all(stepper.concurrent for stepper in steppers) else 1
        self._together = len(steppers) - len(steppers) % threads if threads > 1 else 0
        self._threads = ThreadPoolExecutor(threads, "elman", kernels.compute_alone) if self._together else None

    def __call__(self, steps: Sequence[Callable[[], _Result]]) -> list[_Result]:
        """The results, in order. Networks that are left over get all threads, one after another.

        Raises:
            whatever a step raises, when no other one runs any more.
        """
        futures = [self._threads.submit(step) for step in steps[: self._together]] if self._threads else []
        wait(futures)
        return [future.result() for future in futures] + [step() for step in steps[len(futures) :]]
