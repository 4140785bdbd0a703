"""Gauges of `elman score --follow`: counts in Prometheus's text format, in a file that its node exporter collects."""

from __future__ import annotations

import time
from pathlib import Path

from ...files import write_atomically
from ...serving.metrics import labelled, numbers

_EVERY = 5.0  # seconds between two writings, at least
_ABOUT = {
    "lines_total": "Lines read.",
    "odd_lines_total": "Lines that were odd.",
    "bits_total": "Cost of the lines, in bits.",
}


class Gauges:
    """Counts for each file, since this start.

    Args:
        path: the file to write; None: nobody asked for one.
    """

    def __init__(self, path: str | None, names: list[str]) -> None:
        self._path = None if path is None else Path(path)
        self._counts = {(kind, labelled(("file", name))): 0.0 for kind in _ABOUT for name in names}
        self._written, self._changed = 0.0, True
        self.write()

    def add(self, kind: str, name: str, amount: float) -> None:
        self._counts[kind, labelled(("file", name))] += amount
        self._changed = True

    def write(self, now: bool = False) -> None:
        """Write the file, unless that was just done or nothing has changed."""
        if self._path is None or not self._changed or not (now or time.monotonic() - self._written >= _EVERY):
            return
        text = "".join(f"{line}\n" for line in numbers("counter", _ABOUT, self._counts))
        write_atomically(self._path, text.encode(), mask=0o644)
        self._written, self._changed = time.monotonic(), False
