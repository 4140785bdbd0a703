"""A curve that grows while a notebook trains."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ..errors import InputError
from ..runs.log import Epoch
from ..runs.svg import draw

_WHERE = "plot=True draws in a notebook; elsewhere give output, whose curve.svg grows, or on_epoch"
_SECONDS = 1.0  # between two drawings: a notebook keeps what it is sent


class LiveCurve:
    """An `on_epoch` for `fit` that draws the curve so far below the cell, at most once a second.

    Args:
        then: called after it with the same epoch.
    Raises:
        InputError: outside a notebook.
    """

    def __init__(self, then: Callable[[Epoch], None] | None = None) -> None:
        self._show, self._log, self._last, self._then = _display(), list[Epoch](), 0.0, then

    def __call__(self, epoch: Epoch) -> None:
        self._log.append(epoch)
        if time.monotonic() - self._last >= _SECONDS or epoch.epoch == 1:
            self.finish()
        if self._then:
            self._then(epoch)

    def finish(self) -> None:
        """Draw all, the epochs since the last drawing included."""
        self._show(self._log)
        self._last = time.monotonic()


def _display() -> Callable[[list[Epoch]], None]:
    try:
        from IPython.core.getipython import get_ipython
        from IPython.display import display
    except ModuleNotFoundError:
        raise InputError(_WHERE) from None
    if get_ipython() is None:
        raise InputError(_WHERE)
    handle: list[Any] = []

    def show(log: list[Epoch]) -> None:
        if not log:
            return
        picture = draw({"": log})
        if handle:
            handle[0].update(picture)
        else:
            handle.append(display(picture, display_id=True))

    return show
