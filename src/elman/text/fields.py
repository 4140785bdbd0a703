"""Fields: records out of files of rows, JSON lines or CSV; each row gives one, without line ends of its own."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any

from ..errors import InputError

_SURROGATE = re.compile("[\ud800-\udfff]")
_BREAKS = re.compile(r"\s*[\r\n]+\s*")
_DELIMITERS = ",;\t"
_MOST = 2**31 - 1  # characters of a cell: Python's own bound is 131,072
_MISSING = object()


def json_field(text: str, field: str, source: str) -> str:
    """The lines that `field` of every JSON object in `text`, one a line, makes; a line break inside becomes a space.

    Args:
        field: a key; or keys with dots between, for an object in an object. Rows where it is null are left out.
    Raises:
        InputError: a line that is no JSON object, or whose field is missing or no string; names the line.
    """
    values = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{source}, line {number}: not JSON ({error})") from None
        value = _look_up(record, field)
        if value is None:
            continue
        if not isinstance(value, str):
            have = f"; it has {', '.join(_keys(record))}" if isinstance(record, dict) and record else ""
            raise InputError(f"{source}, line {number}: expected an object with a string in {field!r}{have}")
        values.append(_one_line(value, field, f"{source}, line {number}"))
    return "".join(f"{value}\n" for value in values)


def _look_up(record: Any, field: str) -> Any:
    """What is in a field, `_MISSING` if there is none."""
    if not isinstance(record, dict):
        return _MISSING
    if field in record:
        return record[field]
    parts = field.split(".")
    for cut in range(1, len(parts)):  # a key may have dots of its own
        inner = record.get(".".join(parts[:cut]), _MISSING)
        found = None if inner is None else _look_up(inner, ".".join(parts[cut:]))
        if found is not _MISSING:
            return found
    return _MISSING


def _keys(record: dict[str, Any]) -> list[str]:
    """A record's fields for a message, those of objects in it with their dots."""
    keys = []
    for key, value in record.items():
        keys += [repr(f"{key}.{inner}") for inner in value] if isinstance(value, dict) and value else [repr(key)]
    return keys


def csv_field(text: str, field: str, source: str) -> str:
    """The lines that one column of a CSV file with a header makes; a line break inside a cell becomes a space.

    Args:
        field: the column's name in the first row. What stands between columns, a comma, a semicolon or a tab, is the
            one with which the header has that name.
    Raises:
        InputError: no such column, a row without it, or no CSV; names the line.
    """
    limit = csv.field_size_limit(_MOST)
    try:
        return _column(text, field, source)
    finally:
        csv.field_size_limit(limit)


def _column(text: str, field: str, source: str) -> str:
    headers = {delimiter: next(_rows(text, delimiter, source), (1, []))[1] for delimiter in _DELIMITERS}
    delimiter = next((d for d in _DELIMITERS if field in headers[d]), None)
    if delimiter is None:
        columns = ", ".join(map(repr, max(headers.values(), key=len)))
        raise InputError(f"{source}: there is no column {field!r}; its first line has {columns or 'none'}")
    column, values, rows = headers[delimiter].index(field), [], _rows(text, delimiter, source)
    next(rows)
    for number, row in rows:
        if len(row) <= column:
            raise InputError(f"{source}, line {number}: {len(row)} columns, and {field!r} is column {column + 1}")
        values.append(_one_line(row[column], field, f"{source}, line {number}"))
    return "".join(f"{value}\n" for value in values)


def _rows(text: str, delimiter: str, source: str) -> Iterator[tuple[int, list[str]]]:
    """The number of its last line, and the cells, of each row that is not empty."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise InputError(f"{source}, line {reader.line_num}: not CSV ({error})") from None


def _one_line(value: str, field: str, where: str) -> str:
    if half := _SURROGATE.search(value):
        raise InputError(
            f"{where}: half a surrogate pair, {half[0]!r}, in {field!r}, which is no character; mend what wrote it"
        )
    return _BREAKS.sub(" ", value)
