"""What the commands share: where they print, the options that several have, and the model that they load."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from ...errors import ElmanError
from ...files import Named
from ...text import CONTROLS, visible

if TYPE_CHECKING:
    from ...model import LanguageModel, Model, QuantisedModel


class PlainConsole(Console):
    """Text of users and models is shown as it is: no markup, no emoji, and on a terminal no control characters."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, soft_wrap=True, markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(text.translate(CONTROLS) if self.is_terminal else text, **options)


out = PlainConsole()
err = PlainConsole(stderr=True)

_ESCAPES = {c: f"\\u{c:04x}" for c in range(0x7F, 0xA0)}
"""Control characters that JSON need not escape, and a terminal obeys."""


_STREAMS = {"stdin": "standard input", "stdout": "standard output", "stderr": "standard error"}


def name_streams() -> None:
    """Let errors of the console's streams say which it was, and what an encoding lacks appear as escapes."""
    for number, (stream, shown) in enumerate(_STREAMS.items()):
        mode, was = "w" if number else "r", getattr(sys, stream)
        if was is None:  # closed by the shell, as by >&-
            setattr(sys, stream, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  (open until the end)
        elif isinstance(was, io.TextIOWrapper):
            if number:
                was.reconfigure(errors="backslashreplace")  # a terminal whose encoding lacks a character
            with suppress(OSError):
                if was.fileno() != number:
                    continue
                raw = Named(number, mode, shown, closefd=False)
                buffer: Any = io.BufferedWriter(raw) if number else io.BufferedReader(raw)
                errors, at_once = was.errors, was.line_buffering
                named = io.TextIOWrapper(buffer, was.encoding, errors, None, at_once, was.write_through)
                setattr(sys, stream, named)


def is_console(error: BaseException) -> bool:
    """Standard output or standard error failed, so that nothing more can be said there."""
    return isinstance(error, OSError) and error.filename in (_STREAMS["stdout"], _STREAMS["stderr"])


def option(setting: str) -> str:
    """A setting of Python's as the command spells it."""
    return "--" + setting.replace("_", "-")


def complain(error: BaseException) -> None:
    """One line on standard error."""
    text = str(error)
    if isinstance(error, MemoryError):
        text = "not enough memory here; ask for fewer hidden units, a smaller batch or fewer samples"
    elif isinstance(error, OSError):
        reason = str(error.strerror or error)
        text = reason if error.filename is None else f"{os.fsdecode(error.filename)}: {reason}"
    elif isinstance(error, ElmanError):
        text = error.worded(option)
    with suppress(OSError):
        print("elman: " + visible(text), file=sys.stderr)
        sys.stderr.flush()


Json = Annotated[bool, typer.Option("--json", help="Write JSON, for a program to read.")]
ModelPath = Annotated[Path, typer.Argument(metavar="MODEL", help="A .safetensors file, a run's folder, or english.")]
Bytes = Annotated[bool, typer.Option("--bytes", help="Short for --tokens bytes.")]
Encoding = Annotated[str | None, typer.Option(help="Of the text, as in cp1252; its mark or UTF-8 if left out.")]
EncodingErrors = Annotated[str, typer.Option(help="What to do with what is not UTF-8: strict or replace.")]


Field = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Read this field of JSON lines (a.b: b in a), or column of CSV; '' reads whole lines. Left out: the one "
        "that the model was trained on, where a file has rows.",
    ),
]


def load_model(path: Path) -> LanguageModel | QuantisedModel:
    from ...model import load

    return load(path)


def read_text(
    model: Model, place: str, encoding: str | None, encoding_errors: str, field: str | None = None
) -> str | bytes:
    """A text for `model` to read, not yet normalised; bytes for a model of bytes."""
    from ...corpora import read_text

    return read_text(model.reading, place, encoding=encoding, encoding_errors=encoding_errors, field=field)


def warn_unknown(model: Model, prompt: str) -> str:
    """The characters of `prompt` that the model has never seen, after a line about them."""
    unseen = model.reading.unknown_characters(prompt)
    if unseen:
        err.print(f"elman: the model has never seen {unseen!r}; read as <unk>")
    return unseen


def write(text: str) -> None:
    """Text as it is made. A terminal gets no control characters from it: a text could move its cursor, or worse."""
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
    to_reader, writer = sys.stdout.isatty(), None
    for row in map(_flat, rows):
        if to_reader:
            row = {key.translate(CONTROLS): value for key, value in row.items()}
        if writer is None:
            writer = csv.DictWriter(sys.stdout, list(row), lineterminator="\n")
            if heading:
                writer.writeheader()
        writer.writerow({k: v.translate(CONTROLS) if to_reader and isinstance(v, str) else v for k, v in row.items()})


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in row.items():
        flat |= {f"{key} {inner}": v for inner, v in value.items()} if isinstance(value, dict) else {key: value}
    return flat
