"""Stores as the commands make, read and grow them."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import InputError
from ...visible import visible
from .archives import STORE_SUFFIX, bits_per_byte, of_file, predictor_of
from .commands import Command
from .console import err, out, write, write_json
from .filewise import Filewise
from .inputs import keep_inputs
from .samples import raw_lines, records_of

if TYPE_CHECKING:
    from ...compression import Predictor, Store

AT_ONCE = 4096
"""Lines that are decoded in one call."""
StorePath = Annotated[Path, typer.Argument(metavar="STORE", help="A .elr file.")]
Numbers = Annotated[
    list[str] | None, typer.Argument(metavar="[N]...", help="Lines, from 1: N, N-M, N- or -M; none: all.")
]
Null = Annotated[bool, typer.Option("-0", "--null", help="End each line with a NUL: a field may have line ends in it.")]


class NumbersCommand(Command):
    """A command to which -3 is a range, the first three lines, and no option. -0 stays one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        literal = args.index("--") if "--" in args else len(args)
        values = {name for option in self.params if not getattr(option, "is_flag", True) for name in option.opts}
        for i, text in enumerate(args[:literal]):
            if re.fullmatch("-[0-9]+", text) and text != "-0" and not (i and args[i - 1] in values):
                args[i] = f"1{text}"
        return super().parse_args(ctx, args)


def make_stores(job: Filewise, model: Path | None, level: int, field: str | None, past: Path | None, say: bool) -> None:
    """Each file to a store of its lines, or of one field of its rows."""
    if field is not None and job.remove:
        raise InputError("a store of one field cannot give back the file; leave out --rm")
    predictor = predictor_of(model, quiet=False)
    job.each(lambda name: _make(job, name, predictor, level, field, past, say))


def _make(
    job: Filewise, name: str, predictor: Predictor | None, level: int, field: str | None, past: Path | None, say: bool
) -> None:
    from ...compression import write_store
    from ...corpora import read_file

    if job.remove and name.endswith((".gz", ".xz")):
        raise InputError(f"{name} is stored unpacked, so the store cannot give it back; leave out --rm")
    with job.store(name, name + STORE_SUFFIX) as (target, how):
        if field is None:
            lines = list(raw_lines(name))
            how["last_line_end"] = not lines or lines[-1].endswith(b"\n")
            lines = [line.removesuffix(b"\n") for line in lines]
        else:
            lines = list(records_of(name, field))
        write_store(lines, target, predictor, past=read_file(past) if past else None, level=level, **how)
    if say:
        raw, size = sum(map(len, lines)) + len(lines), os.path.getsize(target)
        sizes = f"{len(lines):,} lines, {raw:,} -> {size:,} bytes"
        err.print(f"{visible(name)}: {sizes}, {bits_per_byte(size, raw)}")


def print_lines(path: Path, numbers: list[str] | None, model: Path | None, null: bool, json_: bool) -> None:
    """Lines by numbers and ranges; all of them where none is given."""
    from ...compression import Store

    if null and json_:
        raise InputError("--null and --json exclude each other")
    keep_inputs(None, path, model)
    with of_file(str(path)), Store(path, predictor_of(model)) as lines:
        for chosen in [_range(text, len(lines)) for text in numbers or ["-"]]:
            for start in range(0, len(chosen), AT_ONCE):
                _print(lines, chosen[start : start + AT_ONCE], b"\0" if null else b"\n", json_)


def append_lines(path: Path, file: str, model: Path | None) -> None:
    """Add the lines of a file, or of standard input."""
    from ...compression import Store

    with of_file(str(path)), Store(path, predictor_of(model)) as lines:
        keep_inputs(path, file, model)
        new = list(raw_lines(file))
        ended = not new or new[-1].endswith(b"\n")
        lines.append([line.removesuffix(b"\n") for line in new], last_line_end=ended)


def print_count(path: Path, model: Path | None) -> None:
    from ...compression import Store

    with of_file(str(path)), Store(path, predictor_of(model)) as lines:
        out.print(str(len(lines)))


def print_facts(path: Path, json_: bool) -> None:
    """Print the facts of a store's header and directory; no model is needed."""
    from ...compression.handle import Handle
    from ...compression.layout import Directory, Header

    with of_file(str(path)):
        handle = Handle(path)
        header = Header.read(handle)
        directory = Directory(handle, header)
    model = header.digest.hex() if any(header.digest) else None
    facts = {"name": str(path), "lines": directory.count, "bytes": handle.size, "past": header.past}
    facts |= {"longest": directory.longest, "level": header.level, "model": model}
    if json_:
        write_json(facts)
        return
    out.print(f"{visible(str(path))}: {directory.count:,} lines in {handle.size:,} bytes")
    past, longest = f"{header.past:,} bytes of past", f"longest line {directory.longest:,} bytes"
    out.print(f"level {header.level}, model {model or 'none'}, {past}, {longest}")


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
