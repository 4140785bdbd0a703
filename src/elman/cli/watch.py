"""`elman score - --above BITS`: standard input line by line, as it comes; what is odd is written at once."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Iterator

from ..errors import InputError
from ..model import Model
from ..text import row_reader
from .console import write_csv, write_json
from .listing import line_row, print_line

_BLOCK = 1 << 16  # bytes read at once, at most: what is there is scored before more is waited for
_LONGEST = 1 << 24  # bytes of a line


def watch(model: Model, above: float, form: str, encoding: str | None, errors: str, field: str | None = None) -> bool:
    """Write each line whose burst costs at least `above` bits. Lines are records. Returns whether there was one."""
    from ..scoring import score

    seen, odd = 0, False
    field = model.reading.field if field is None else field
    rows = row_reader(field) if field else None
    for text in _batches(model.reading.is_bytes and rows is None, encoding or "utf-8-sig", errors):
        if rows is not None:
            text = "".join(rows(line) + "\n" for line in str(text).removesuffix("\n").split("\n"))
        lines = score(model, text, records=True).lines()
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
            odd = True
        sys.stdout.flush()
    return odd


def _batches(as_bytes: bool, encoding: str, errors: str) -> Iterator[str | bytes]:
    """Whole lines, as many as have come."""
    held, decoder, done = b"", codecs.getincrementaldecoder(encoding)(errors), False
    text = ""
    while not done:
        data = os.read(sys.stdin.fileno(), _BLOCK)
        done = not data
        if as_bytes:
            held += data
            cut = len(held) if done else held.rfind(b"\n") + 1
            whole, held = held[:cut], held[cut:]
            size = len(held)
        else:
            try:
                text += decoder.decode(data, done)
            except UnicodeDecodeError as error:
                raise InputError(
                    f"standard input: not {encoding} ({error.reason}); give --encoding, or --encoding-errors replace"
                ) from None
            cut = len(text) if done else text.rfind("\n") + 1
            whole, text = text[:cut], text[cut:]
            size = len(text)
        if size > _LONGEST:
            raise InputError(f"standard input: a line of more than {_LONGEST:,} characters; expected lines")
        if whole:
            yield whole
