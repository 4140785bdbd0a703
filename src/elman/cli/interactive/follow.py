"""`elman score --follow FILE`: lines of growing files as they come; odd ones are written at once, with the time."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from ...errors import InputError
from ...model import Model
from ...text import row_reader
from ..shared.console import err, write_csv, write_json
from ..shared.listing import line_row, print_line
from ..shared.signals import deferring_signals
from .gauges import Gauges
from .places import Places
from .tail import Line, Tail

_WAIT = 0.2  # seconds between two looks at the files
_BATCH = 1000  # lines that are scored together
_PATIENCE = 60  # seconds that a hook may take
_MINUTE = 60.0


@dataclass
class Alarms:
    """Writes odd lines, so many a minute, and tells a program of each."""

    form: str
    """table, json or csv."""
    limit: int | None = None
    """Lines a minute; the others are counted."""
    hook: str | None = None
    """A command of the shell, which gets the line as JSON on standard input."""
    _begun: float = 0.0
    _written: int = 0
    _held: int = 0
    _heading: bool = field(default=True)

    def raise_for(self, row: dict[str, Any]) -> None:
        """Write a line, unless there were too many."""
        now = time.monotonic()
        if now - self._begun >= _MINUTE:
            self.tell_held()
            self._begun, self._written = now, 0
        if self.limit is not None and self._written >= self.limit:
            self._held += 1
            return
        self._written += 1
        row = {"time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"), **row}
        if self.form == "json":
            write_json(row)
        elif self.form == "csv":
            write_csv([row], heading=self._heading)
            self._heading = False
        else:
            print_line(row)
        sys.stdout.flush()
        if self.hook is not None:
            self._call(json.dumps(row))

    def tell_held(self) -> None:
        """Say how many were held back."""
        if self._held:
            err.print(f"elman: {self._held:,} more odd lines; --limit {self.limit} a minute are written")
            self._held = 0

    def _call(self, line: str) -> None:
        assert self.hook is not None
        try:
            done = subprocess.run(self.hook, shell=True, input=line + "\n", text=True, timeout=_PATIENCE, check=False)
            failed = f"status {done.returncode}" if done.returncode else ""
        except subprocess.TimeoutExpired:
            failed = f"it took more than {_PATIENCE} s"
        if failed:
            err.print(f"elman: --exec {self.hook}: {failed}")


def follow(
    model: Model,
    files: Sequence[str],
    above: float,
    alarms: Alarms,
    how: tuple[str | None, str, str | None],
    place: str | None = None,
    from_end: bool = False,
    metrics: str | None = None,
) -> None:
    """Read the files until a signal ends the command.

    Args:
        above: bits of a burst from which a line is written.
        how: encoding, encoding_errors and field, as for `watch`.
        place: the file that keeps how far each was read.
        metrics: the file that counts are written to.
    """
    encoding, errors, column = how
    column = model.reading.field if column is None else column
    codec = (encoding or "utf-8", "replace" if errors == "strict" else errors)
    try:
        single = "\n".encode(codec[0]) == b"\n"
        b"\xff".decode(*codec)
    except (LookupError, ValueError) as error:
        raise InputError(f"the files cannot be read as {codec[0]}, {codec[1]}: {error}") from None
    if not single:
        raise InputError(f"--follow reads encodings in which a line end is one byte; got {codec[0]}")
    model.reading.line_end  # noqa: B018 (raises where it lacks one, before the first line is waited for)
    places = None if place is None else Places(place)
    tails = [Tail(name, places.get(name) if places else None, from_end) for name in files]
    readers = [row_reader(column) if column else None for _ in tails]
    for tail, reader in zip(tails, readers, strict=True):
        if reader is not None and tail.heading:
            reader(tail.heading.decode(*codec))
    gauges = Gauges(metrics, [tail.name for tail in tails])
    with ExitStack() as stack:
        stack.callback(gauges.write, True)
        for tail in tails:
            stack.callback(tail.close)
        check = stack.enter_context(deferring_signals())  # a line that is being written would come again
        while True:
            check()
            moved = False
            for number, tail in enumerate(tails):
                lines = tail.poll()
                while batch := list(islice(lines, _BATCH)):
                    if column and batch[0].number == 1:  # a new file, whose heading may be another
                        readers[number] = row_reader(column)
                    _score(model, tail, batch, above, alarms, (codec, readers[number]), places, gauges, check)
                    moved = True
            gauges.write()
            if not moved:
                time.sleep(_WAIT)


def _score(
    model: Model,
    tail: Tail,
    batch: Sequence[Line],
    above: float,
    alarms: Alarms,
    reading: tuple[tuple[str, str], Any],
    places: Places | None,
    gauges: Gauges,
    check: Callable[[], None],
) -> None:
    """Write the odd lines of a batch, and keep the place after each."""
    from ...scoring import score

    codec, reader = reading
    data = [line.data.removesuffix(b"\r") for line in batch]
    if reader is None and model.reading.is_bytes:
        lines = score(model, b"".join(each + b"\n" for each in data), records=True).lines()
    else:
        texts = [each.decode(*codec).replace("\n", " ") for each in data]
        texts = texts if reader is None else [reader(text) for text in texts]
        lines = score(model, "".join(text + "\n" for text in texts), records=True).lines()
    gauges.add("lines_total", tail.name, len(batch))
    gauges.add("bits_total", tail.name, float(lines.bits.sum()))
    for index, line in enumerate(batch):
        tail.passed(line)
        if lines.bursts[index] >= above and lines.text(index):
            gauges.add("odd_lines_total", tail.name, 1)
            alarms.raise_for(line_row(tail.name, lines, index, line.number))
            if places is not None:  # wherever this ends, no line is printed twice
                places.keep(tail)
            check()
    if places is not None:
        places.keep(tail)
