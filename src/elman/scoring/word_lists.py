"""A table of how often words occur, as lists of word frequencies have it: CSV or tab-separated values with a header."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

from ..errors import InputError

WORDS = ("word", "spelling", "wordform")
COUNTS = ("count", "freqcount", "frequency", "freq")
ENDS = {".csv": ",", ".tsv": "\t"}
"""Ends of such a file's name, and the separator of its columns."""


def is_word_table(name: str) -> bool:
    """Whether the name of a file is one of a table."""
    return Path(name).suffix.lower() in ENDS


def word_table(path: str | Path) -> Counter[str]:
    """How often each word occurs, in lower case: words that differ only by that are added up.

    Args:
        path: a file in UTF-8 whose first line names its columns, one of `WORDS` and one of `COUNTS`, in any case.
    Raises:
        InputError: no such column, or a count that is no whole number.
    """
    counts: Counter[str] = Counter()
    with open(path, encoding="utf-8-sig", newline="") as file:
        try:
            rows = csv.reader(file, delimiter=ENDS[Path(path).suffix.lower()], strict=True)
            header = [name.strip().lower() for name in next(rows, [])]
            word, count = (_column(header, names, path) for names in (WORDS, COUNTS))
            for row in rows:
                if not row:
                    continue
                try:
                    counts[row[word].lower()] += _whole(row[count])
                except (IndexError, ValueError):
                    raise InputError(
                        f"{path}: line {rows.line_num}: expected a word and how often it occurs, a whole number"
                    ) from None
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputError(f"{path}: no table of words: {' '.join(str(error).split())}") from None
    return counts


def _column(header: list[str], names: tuple[str, ...], path: str | Path) -> int:
    found = next((header.index(name) for name in names if name in header), None)
    if found is None:
        raise InputError(f"{path}: no column is called {' or '.join(names)}; its first line names {', '.join(header)}")
    return found


def _whole(text: str) -> int:
    if (value := int(text)) < 0:
        raise ValueError
    return value
