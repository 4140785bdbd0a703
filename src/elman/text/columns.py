"""Columns of CSV: the values of some of them, row by row, with the line at which each row begins."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Iterator, Sequence

from ..errors import InputError

DELIMITERS = ",;\t"
_MOST = 2**31 - 1  # characters of a cell: Python's own bound is 131,072
_NAMED, _WIDE = 20, 40  # names of fields that a message lists, and characters of each


def columns(lines: Iterator[str], fields: Sequence[str], source: str) -> Iterator[tuple[int, list[str]]]:
    """The number of its first line, from 1, and the values of these columns, for each row of CSV.

    lines: with their ends, which may be \\r and \\r\\n too. Raises InputError as `fields.field_lines` does.
    """
    seen: list[str] = []

    def again() -> Iterator[str]:
        """The lines from the first one on, which are kept."""
        yield from seen
        for line in lines:
            seen.append(line)
            yield line

    headers: dict[str, list[str]] = {}
    fault = None
    for delimiter in DELIMITERS:
        try:
            headers[delimiter] = next(_rows(again(), delimiter, source), (1, []))[1]
        except InputError as error:  # quotes that end before another delimiter
            fault = fault or error
    delimiter = next((d for d, cells in headers.items() if fields[0] in cells), None)
    if delimiter is None and fault and not headers:
        raise fault
    heading = max(headers.values(), key=len) if delimiter is None else headers[delimiter]
    for field in fields:
        if field not in heading:
            raise InputError(f"{source}: there is no column {field!r}; its first line has {listed(heading) or 'none'}")
        if heading.count(field) > 1:
            raise InputError(f"{source}: {heading.count(field)} columns are called {field!r}; expected one")
    places = [heading.index(field) for field in fields]
    rows = _rows(itertools.chain(seen, lines), delimiter or ",", source)
    next(rows)
    for number, row in rows:
        if len(row) <= max(places):
            last = max(places)
            raise InputError(f"{source}, line {number}: {len(row)} columns, and {heading[last]!r} is column {last + 1}")
        yield number, [row[place] for place in places]


def _rows(lines: Iterable[str], delimiter: str, source: str) -> Iterator[tuple[int, list[str]]]:
    """The number of its first line, and the cells, of each row that is not empty."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        number = reader.line_num + 1
        limit = csv.field_size_limit(_MOST)  # the whole process's, so only while a row is read
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InputError(f"{source}, line {reader.line_num}: not CSV ({error})") from None
        finally:
            csv.field_size_limit(limit)
        if row:
            yield number, row


def cells(line: str, delimiter: str) -> list[str]:
    """A row of one line; empty if it is none."""
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def listed(names: Iterable[str]) -> str:
    """The first names, for a message."""
    some = list(itertools.islice(names, _NAMED + 1))
    shown = [repr(name if len(name) <= _WIDE else f"{name[:_WIDE]}...") for name in some[:_NAMED]]
    return ", ".join([*shown, *(["..."] if len(some) > _NAMED else [])])
