"""Standard input, output and error: named in errors, and where the line goes that ends a command. No rich, no NumPy."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import Any

from ...errors import ElmanError
from ...files import Named
from ...visible import visible

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
    """Standard output or standard error failed, so nothing more can be said there."""
    return isinstance(error, OSError) and error.filename in (_STREAMS["stdout"], _STREAMS["stderr"])


def option(setting: str) -> str:
    """A setting of Python's as the command spells it."""
    return "--" + setting.replace("_", "-")


def complain(error: BaseException) -> None:
    """One line on standard error."""
    say(complaint(error))


def complaint(error: BaseException) -> str:
    """The line of an error, as the command words it."""
    text = str(error)
    if isinstance(error, MemoryError):
        text = "not enough memory here; ask for fewer hidden units, a smaller batch or fewer samples"
    elif isinstance(error, OSError):
        reason = str(error.strerror or error)
        text = reason if error.filename is None else f"{os.fsdecode(error.filename)}: {reason}"
    elif isinstance(error, ElmanError):
        text = error.worded(option)
    return text


def say(text: str) -> None:
    """One line on standard error, after the command's name."""
    with suppress(OSError):
        print("elman: " + visible(text), file=sys.stderr)
        sys.stderr.flush()
