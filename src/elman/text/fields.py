"""Fields: records out of files of rows, JSON lines or CSV; each row gives one.

Every command and `load_corpus` read fields here. Lines are taken as they come, so a reader that needs few reads few.
"""

from __future__ import annotations

import io
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from ..errors import InputError
from .columns import DELIMITERS, cells, columns, listed
from .rows import Rows

_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACES = re.compile(r"\s+")
_MISSING = object()
_Values = Iterator[tuple[int, list[Any]]]
"""The number of a row's first line, from 1, and the values of its fields."""


def lines_of(parts: Iterable[str], newline: str = "\n") -> Iterator[str]:
    """The lines of a text that comes in parts, each with its end. newline: "" ends lines at \\r and \\r\\n too."""
    held: list[str] = []
    for part in parts:
        cut = part.rfind("\n") + 1
        held.append(part[:cut] if cut else part)
        if cut:
            yield from io.StringIO("".join(held), newline)
            held = [part[cut:]]
    yield from io.StringIO("".join(held), newline)


def field_lines(
    parts: Iterable[str], field: str, source: str, or_lines: bool = False, rows: Rows | None = None
) -> Iterator[str]:
    """A line for each row of a text that comes in parts: the string in `field`, whose line breaks become spaces.

    Args:
        field: a column's name in the first row of CSV; or a key of the objects of JSON lines, "a.b" being b in a. Rows
            where it is null are left out.
        source: the file's name. CSV is what ends with .csv or .tsv, JSON lines what ends with .json, .jsonl or .ndjson;
            of others the first line decides: JSON begins with a brace, and CSV has a column of this name.
        or_lines: take the lines unchanged where neither name nor first line says that they are rows.
        rows: gets each row that gives a line, before that line comes.
    Raises:
        InputError: a row that cannot be read or has no string in the field; names the line.
    """
    keep = rows.keep if rows else ()
    for number, (value, *others) in _values(parts, (field, *keep), source, or_lines and not keep, strings=True):
        if value is not None:
            if rows is not None:
                rows.add(number, others)
            yield _one_line(value, field, f"{source}, line {number}") + "\n"


def field_values(
    parts: Iterable[str], field: str, source: str, or_lines: bool = False, strings: bool = False
) -> Iterator[tuple[int, Any]]:
    """The value of `field` in each row, with the number of its first line: any JSON, or a cell's text.

    Args and errors as `field_lines`. strings: refuse what is neither a string nor null.
    """
    return ((number, value) for number, (value,) in _values(parts, (field,), source, or_lines, strings))


def _values(parts: Iterable[str], fields: Sequence[str], source: str, or_lines: bool, strings: bool) -> _Values:
    """strings: refuse a value of the first field that is neither a string nor null."""
    parts, kind = iter(parts), _kind(source)
    if kind is None:
        head: list[str] = []
        for part in parts:
            head.append(part)
            if "\n" in part.lstrip():
                break
        line = "".join(head).lstrip().partition("\n")[0]
        parts = itertools.chain(head, parts)
        if not line.startswith("{") and any(fields[0] in cells(line, delimiter) for delimiter in DELIMITERS):
            kind = "csv"
        elif or_lines and not line.startswith("{"):
            return ((n, [line.rstrip("\n").removesuffix("\r")]) for n, line in enumerate(lines_of(parts), 1))
    return (
        columns(lines_of(parts, newline=""), fields, source)
        if kind == "csv"
        else _objects(parts, fields, source, strings)
    )


def _kind(source: str) -> str | None:
    """The format of a file's rows, by the file's name."""
    name = source.lower().removesuffix(".gz").removesuffix(".xz")
    if name.endswith((".csv", ".tsv")):
        return "csv"
    return "json" if name.endswith((".json", ".jsonl", ".ndjson")) else None


def row_reader(field: str) -> Callable[[str], str]:
    """A function from a line without its end to the string in its `field`, for lines that come one by one. It never
    fails: what is no such row comes back unchanged, and the heading of CSV as nothing.

    The first line that is not blank decides: CSV, if it has a column of this name, each row of one line; else JSON.
    """
    column: tuple[str, int] | None = None
    begun = False

    def read(line: str) -> str:
        nonlocal column, begun
        if not begun and line.strip():
            begun = True
            delimiter = next((d for d in DELIMITERS if field in cells(line, d)), None)
            if delimiter is not None:
                column = delimiter, cells(line, delimiter).index(field)
                return ""
        value: Any = None
        if column is not None:
            value = dict(enumerate(cells(line, column[0]))).get(column[1])
        elif line.lstrip().startswith("{"):
            with suppress(ValueError, RecursionError):
                value = _look_up(json.loads(line), field)
        return _unbroken(value) if isinstance(value, str) and not _SURROGATE.search(value) else line

    return read


def json_field(text: str, field: str, source: str) -> str:
    """`field_lines` of JSON lines, in one text."""
    rows = _objects([text], (field,), source, strings=True)
    return "".join(_one_line(v, field, f"{source}, line {n}") + "\n" for n, (v,) in rows if v is not None)


def csv_field(text: str, field: str, source: str) -> str:
    """`field_lines` of CSV, in one text."""
    rows = columns(lines_of([text], newline=""), (field,), source)
    return "".join(_one_line(v, field, f"{source}, line {n}") + "\n" for n, (v,) in rows)


def _objects(parts: Iterable[str], fields: Sequence[str], source: str, strings: bool) -> _Values:
    for number, line in enumerate(lines_of(parts), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{source}, line {number}: not JSON ({error})") from None
        values = [_look_up(record, field) for field in fields]
        for field, value in zip(fields, values, strict=True):
            text = strings and field is fields[0]
            if value is _MISSING or (text and not isinstance(value, str | None)):
                have = f"; it has {listed(_keys(record))}" if isinstance(record, dict) and record else ""
                what = "a string in" if text else "the field"
                raise InputError(f"{source}, line {number}: expected an object with {what} {field!r}{have}")
        yield number, values


def _look_up(record: Any, field: str) -> Any:
    """The value of a field, `_MISSING` if there is none."""
    if not isinstance(record, dict):
        return _MISSING
    if field in record:
        return record[field]
    parts = field.split(".")
    for cut in range(1, len(parts)):  # a key may contain dots
        inner = record.get(".".join(parts[:cut]), _MISSING)
        found = None if inner is None else _look_up(inner, ".".join(parts[cut:]))
        if found is not _MISSING:
            return found
    return _MISSING


def _keys(record: dict[str, Any]) -> Iterator[str]:
    """A record's fields; fields of objects in it with their dots."""
    for key, value in record.items():
        inside = isinstance(value, dict) and value
        yield from (f"{key}.{inner}" for inner in value) if inside else [key]


def _unbroken(value: str) -> str:
    """White space with a line break in it becomes a space."""
    # `\s*[\r\n]+\s*` would say it, in time that grows with the square of a run of spaces.
    if "\n" not in value and "\r" not in value:
        return value
    return _SPACES.sub(lambda found: " " if "\n" in found[0] or "\r" in found[0] else found[0], value)


def _one_line(value: str, field: str, where: str) -> str:
    if half := _SURROGATE.search(value):
        raise InputError(
            f"{where}: half a surrogate pair, {half[0]!r}, in {field!r}, which is no character; mend what wrote it"
        )
    return _unbroken(value)
