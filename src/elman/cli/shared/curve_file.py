"""A run's curve.svg, drawn while it trains too, so one that is killed has a picture."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...runs import Epoch

_SECONDS = 30.0  # between two drawings


class CurveFile:
    """RUN/curve.svg of a log that grows.

    Args:
        folder: the run's; None: nothing is drawn.
        log: the epochs that there are already, of a run that goes on.
    """

    def __init__(self, folder: Path | None, title: str, log: Sequence[Epoch] = ()) -> None:
        self._folder, self._title, self._log, self._last = folder, title, [*log], time.monotonic()

    def add(self, epoch: Epoch) -> None:
        """Draw if the last time is long ago; a short run is drawn at its end alone."""
        self._log.append(epoch)
        if time.monotonic() - self._last >= _SECONDS:
            self.draw()

    def draw(self) -> None:
        if self._folder and self._log:
            from ...runs import RunFolder
            from ...runs.svg import save_svg

            save_svg({"": self._log}, RunFolder(self._folder).curve, self._title)
        self._last = time.monotonic()
