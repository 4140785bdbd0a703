"""Console of the commands: where they print, the options that several have, and the model that they load."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from ...visible import CONTROLS

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from ...model import LanguageModel, Model, NgramModel, QuantisedModel
    from ...text import Rows


class PlainConsole:
    """Standard output or standard error, where text of users and models is shown unchanged: no markup, no emoji, and on
    a terminal no control characters. What is more than text is drawn by rich, which is imported for it.

    Args:
        stderr: standard error. width: columns; None: the terminal's.
    """

    def __init__(self, stderr: bool = False, width: int | None = None) -> None:
        self._stderr, self.fixed_width = stderr, width

    @property
    def stream(self) -> TextIO:
        return sys.stderr if self._stderr else sys.stdout

    @property
    def is_terminal(self) -> bool:
        """Whether it is a terminal, by rich's rules."""
        if (set_to := os.environ.get("TTY_COMPATIBLE")) in ("0", "1"):
            return set_to == "1"
        return bool(os.environ.get("FORCE_COLOR")) or self.stream.isatty()

    @property
    def encoding(self) -> str:
        return (self.stream.encoding or "utf-8").lower()

    @cached_property
    def rich(self) -> Console:
        from .rich_console import RichConsole

        return RichConsole(self._stderr)

    @property
    def width(self) -> int:
        return self.fixed_width or self.rich.width

    @width.setter
    def width(self, width: int) -> None:
        self.fixed_width = width

    def print(self, *objects: Any) -> None:
        """A line of text, or what rich draws."""
        if all(isinstance(each, str) for each in objects):
            text = " ".join(objects)
            self.stream.write((text.translate(CONTROLS) if self.is_terminal else text) + "\n")
            self.stream.flush()
            return
        if self.fixed_width:
            self.rich.width = self.fixed_width
        self.rich.print(*objects)

    def status(self, text: str) -> AbstractContextManager[Any]:
        """A line that is there while something is done."""
        return self.rich.status(text)


out = PlainConsole()
err = PlainConsole(stderr=True)


def table(*headings: str, show_header: bool = True) -> Table:
    """A table without lines."""
    from rich.table import Table

    return Table(*headings, box=None, pad_edge=False, show_header=show_header)


def print_rows(rows: Sequence[tuple[str, ...]], *headings: str) -> None:
    """Columns of text: on a terminal folded to its width by rich; elsewhere a line a row, for a program to read."""
    lines = [headings, *rows] if headings else rows
    if out.is_terminal and lines:
        drawn = table(show_header=bool(headings))
        for number, name in enumerate(headings or lines[0]):
            drawn.add_column(name if headings else "", no_wrap=number == 0, overflow="fold")
        for row in rows:
            drawn.add_row(*row)
        out.print(drawn)
        return
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        out.print("  ".join(map(str.ljust, line, widths)).rstrip())


_ESCAPES = {c: f"\\u{c:04x}" for c in range(0x7F, 0xA0)}
"""Control characters that JSON need not escape, and a terminal obeys."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ModelPath = Annotated[Path, typer.Argument(metavar="MODEL", help="A .safetensors file, a run's folder, or english.")]
Bytes = Annotated[bool, typer.Option("--bytes", help="Short for --tokens bytes.")]
Split = Annotated[
    str | None, typer.Option(metavar="REGEX", help="Short for --tokens split:REGEX: what it matches is one token.")
]
Encoding = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Encoding of the text, such as cp1252; left out: by its byte order mark, or UTF-8."
    ),
]
EncodingErrors = Annotated[
    str, typer.Option(metavar="NAME", help="How to treat bytes that are not valid UTF-8: strict or replace.")
]


Field = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Read this field of JSON lines (a.b: b in a), or column of CSV; '' reads whole lines. Left out: the one "
        "that the model was trained on, where a file has rows.",
    ),
]


def load_model(path: Path) -> LanguageModel | QuantisedModel | NgramModel:
    from ...model import load

    return load(path)


def read_text(
    model: Model,
    place: str,
    encoding: str | None,
    encoding_errors: str,
    field: str | None = None,
    rows: Rows | None = None,
) -> str | bytes:
    """A text for `model` to read, not yet normalised; bytes for a model of bytes."""
    from ...corpora import read_text

    return read_text(model.reading, place, encoding=encoding, encoding_errors=encoding_errors, field=field, rows=rows)


def warn_unknown(model: Model, prompt: str) -> str:
    """The characters of `prompt` that the model has never seen, after a line about them."""
    unseen = model.reading.unknown_characters(prompt)
    if unseen:
        err.print(f"elman: the model has never seen {unseen!r}; read as <unk>")
    return unseen


def write(text: str) -> None:
    """Print text while it is made. A terminal gets no control characters: a text could move its cursor, or worse."""
    sys.stdout.write(text.translate(CONTROLS) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def write_json(value: Any) -> None:
    """A line of JSON, in ASCII where the terminal's encoding is not UTF-8; control characters as escapes."""
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    print(json.dumps(value, ensure_ascii=not utf8).translate(_ESCAPES))


def write_csv(rows: Iterable[dict[str, Any]], heading: bool = True) -> None:
    """A heading, and a line for each row; all have the same columns. An object becomes a column for each key.

    Text is written exactly, even if it begins with = + - or @, which a spreadsheet takes for a formula: programs read
    these files, and a word may well be "-".
    """
    writer, to_reader, flat = csv.writer(sys.stdout, lineterminator="\n"), sys.stdout.isatty(), True
    for number, row in enumerate(rows):
        if number == 0:
            flat = not any(isinstance(value, dict) for value in row.values())
        if not flat:
            row = _flat(row)
        if number == 0 and heading:
            writer.writerow(_shown(row) if to_reader else row)
        writer.writerow(_shown(row.values()) if to_reader else row.values())


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in row.items():
        flat |= {f"{key} {inner}": v for inner, v in value.items()} if isinstance(value, dict) else {key: value}
    return flat


def _shown(cells: Iterable[Any]) -> list[Any]:
    """The cells without control characters."""
    return [cell.translate(CONTROLS) if isinstance(cell, str) else cell for cell in cells]
