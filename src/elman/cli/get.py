"""`elman get`: read lines of a store by their numbers, and add some."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from ..errors import InputError
from ..sources import refuse_same
from .shared.archives import Model, of_file, predictor_of
from .shared.console import Json, out, write, write_json
from .shared.samples import raw_lines

if TYPE_CHECKING:
    from ..compression import Store

AT_ONCE = 4096
"""Lines that are decoded in one call."""


class GetCommand(TyperCommand):
    """A command to which -3 is a range, the first three lines, and no option. -0 stays one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        literal = args.index("--") if "--" in args else len(args)
        values = {name for option in self.params if not getattr(option, "is_flag", True) for name in option.opts}
        for i, text in enumerate(args[:literal]):
            if re.fullmatch("-[0-9]+", text) and text != "-0" and not (i and args[i - 1] in values):
                args[i] = f"1{text}"
        return super().parse_args(ctx, args)


def get(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="A .elr file.")],
    numbers: Annotated[
        list[str] | None, typer.Argument(metavar="[N]...", help="Lines, from 1: N, N-M, N- or -M; none: all.")
    ] = None,
    model: Model = None,
    count: Annotated[bool, typer.Option("--count", help="Print how many lines there are.")] = False,
    null: Annotated[
        bool, typer.Option("-0", "--null", help="End each line with a NUL: a field may have line ends in it.")
    ] = False,
    json_: Json = False,
    append: Annotated[
        Path | None, typer.Option("--append", help="Add the lines of this file; - for standard input.")
    ] = None,
) -> None:
    """Print lines of a store by number.

    All of them are the text as it was, to the byte. Where a store holds a field in which lines end, --null or --json
    tell where one record ends and the next begins.

    Example: elman get access.elr 17 200-210
    """
    from ..compression import Store

    if null and json_:
        raise InputError("--null and --json exclude each other")
    if append is not None and (numbers or count or null or json_):
        raise InputError("--append adds lines and prints none; leave out what asks for lines")
    with of_file(str(store)), Store(store, predictor_of(model)) as lines:
        if append is not None:
            refuse_same(store, append)
            new = list(raw_lines(str(append)))
            ended = not new or new[-1].endswith(b"\n")
            lines.append([line.removesuffix(b"\n") for line in new], last_line_end=ended)
        elif count:
            out.print(str(len(lines)))
        else:
            for chosen in [_range(text, len(lines)) for text in numbers or ["-"]]:
                for start in range(0, len(chosen), AT_ONCE):
                    _print(lines, chosen[start : start + AT_ONCE], b"\0" if null else b"\n", json_)


def _print(store: Store, chosen: range, end: bytes, as_json: bool) -> None:
    """The last line of a text without a last line end has none here either."""
    found = store.get(chosen)
    if as_json:
        for number, line in zip(chosen, found, strict=True):
            write_json({"line": number + 1, "text": line.decode("utf-8", "surrogateescape")})
        return
    data = end.join(found) + end
    if end == b"\n" and not store.last_line_end and chosen[-1] == len(store) - 1:
        data = data[:-1]
    if sys.stdout.isatty():
        write(data.decode("utf-8", "backslashreplace"))
    else:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def _range(text: str, count: int) -> range:
    first, dash, last = text.partition("-")
    if len(text) > 40 or not re.fullmatch("[0-9]+|[0-9]*-[0-9]*", text):
        raise InputError(f"{text[:40]!r} is not a line's number, nor a range such as 5-9")
    start, end = int(first or 1), int(last or count) if dash else int(first)
    if (first or last) and not 1 <= start <= end <= count:
        raise InputError(f"the store has lines 1 to {count}; there is no {text}" if count else "the store has no lines")
    return range(start - 1, end)
