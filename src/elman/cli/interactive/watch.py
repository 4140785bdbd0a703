"""`elman score - --above BITS`: standard input line by line, as it comes; odd lines are written at once.

A watcher lives as long as its log. No byte stops it: what is not UTF-8 is read as U+FFFD, and of a line without end the
beginning counts.
"""

from __future__ import annotations

import codecs
import os
import select
import sys
from collections.abc import Iterator

from ...errors import InputError
from ...model import Model
from ...text import row_reader
from ..shared.console import write_csv, write_json
from ..shared.listing import line_row, print_line

_BLOCK = 1 << 16  # bytes read at once, at most: what is there is scored before more is waited for
_LONGEST = 1 << 20  # characters of a line, or bytes; the rest of a longer one is skipped


def watch(model: Model, above: float, form: str, encoding: str | None, errors: str, field: str | None = None) -> bool:
    """Write each line whose burst costs at least `above` bits. Lines are records. Returns whether there was one."""
    from ...scoring import score

    field = model.reading.field if field is None else field
    rows, seen, odd = row_reader(field) if field else None, 0, False
    as_bytes = model.reading.is_bytes and rows is None
    model.reading.line_end  # noqa: B018 (raises where it lacks one, before the first line is waited for)
    for text in _batches(_decoder(as_bytes, encoding, errors)):
        if rows is not None:
            text = "".join(rows(line) + "\n" for line in text.removesuffix("\n").split("\n"))
        lines = score(model, text.encode("latin-1") if as_bytes else text, records=True).lines()
        for index in range(len(lines)):
            seen += 1
            if lines.bursts[index] < above or not lines.text(index):
                continue
            row = line_row("-", lines, index, seen)
            if form == "json":
                write_json(row)
            elif form == "csv":
                write_csv([row], heading=not odd)
            else:
                print_line(row)
            sys.stdout.flush()
            odd = True
    return odd


def _batches(decoder: codecs.IncrementalDecoder) -> Iterator[str]:
    """Whole lines, as many as have come."""
    held, skipping, done = "", False, False
    while not done:
        data = _read()
        new, done = decoder.decode(data, not data), not data
        if skipping:  # what is left of a line that was cut
            cut = new.find("\n") + 1
            new, skipping = new[cut:] if cut else "", not cut
        cut = len(new) if done else new.rfind("\n") + 1
        if whole := (held + new[:cut] if done or cut else ""):
            yield whole
        held = new[cut:] if cut else held + new
        if len(held) > _LONGEST:
            yield held[:_LONGEST] + "\n"
            held, skipping = "", True


def _read() -> bytes:
    """Read the bytes that have come, at least one; none at the end."""
    while True:
        try:
            return os.read(sys.stdin.fileno(), _BLOCK)
        except BlockingIOError:  # another program has set this pipe so
            select.select([sys.stdin], [], [])


def _decoder(as_bytes: bool, encoding: str | None, errors: str) -> codecs.IncrementalDecoder:
    """Bytes into text as they come, never into an error. For a model of bytes each becomes U+0000 .. U+00FF."""
    if as_bytes:
        return codecs.getincrementaldecoder("latin-1")()
    errors = "replace" if errors == "strict" else errors
    try:
        b"\xff".decode("ascii", errors)  # an error here is one in the options, and not in the log
        decoder = codecs.getincrementaldecoder(encoding or "utf-8-sig")(errors)
        decoder.decode(b"\xff\xfe")
        decoder.reset()
    except Exception as error:  # whatever a codec raises
        raise InputError(f"standard input cannot be read as {encoding or 'UTF-8'}, {errors}: {error}") from None
    return decoder
