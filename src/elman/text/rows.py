"""Rows: where in a file each text of a field began, and what its other columns held."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Rows:
    """The rows of a file, filled while their texts are read: a text's line, and the columns to keep."""

    def __init__(self, keep: Sequence[str] = ()) -> None:
        """keep: names of columns of CSV or keys of JSON lines, as a field is named."""
        self.keep = tuple(keep)
        self._lines: list[int] = []
        self._columns: list[Sequence[Any]] = []
        self._first = 0  # how many rows were forgotten

    def add(self, line: int, columns: Sequence[Any]) -> None:
        """The next row. line: where it begins in the file, from 1. columns: the values of `keep`."""
        self._lines.append(line)
        if self.keep:
            self._columns.append(columns)

    def line(self, number: int) -> int:
        """The line of the file at which the text of this number, from 1, begins; of a file without rows, the number."""
        return self._lines[number - 1 - self._first] if self._lines else number

    def columns(self, number: int) -> dict[str, Any]:
        """The kept columns of the text of this number, from 1."""
        return dict(zip(self.keep, self._columns[number - 1 - self._first], strict=True)) if self.keep else {}

    def forget(self, number: int) -> None:
        """Drop the rows before this one; otherwise memory grows with the file."""
        old = number - 1 - self._first
        if self._lines and old > 0:
            del self._lines[:old], self._columns[:old]
            self._first += old
