"""A curve that grows while a notebook trains."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ..errors import InputError
from .curve import curve
from .run import Epoch

_WHERE = "plot=True draws in a notebook; elsewhere see elman.training.curve, or give on_epoch"
_SECONDS = 1.0  # between two drawings: each takes about a tenth of one


def live_curve(then: Callable[[Epoch], None] | None = None) -> Callable[[Epoch], None]:
    """An `on_epoch` for `fit` that draws the curve so far below the cell, at most once a second.

    Args:
        then: called after it with the same epoch.
    Raises:
        InputError: outside a notebook.
    """
    show, log, last = _display(), list[Epoch](), 0.0

    def on_epoch(epoch: Epoch) -> None:
        nonlocal last
        log.append(epoch)
        if time.monotonic() - last >= _SECONDS or epoch.epoch == 1:
            show(log)
            last = time.monotonic()
        if then:
            then(epoch)

    on_epoch.finish = lambda: show(log)  # type: ignore[attr-defined]  (the last epochs may not have been drawn)
    return on_epoch


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
        picture = curve(log)
        if handle:
            handle[0].update(picture)
        else:
            handle.append(display(picture, display_id=True))

    return show
