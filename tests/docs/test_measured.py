"""Each number of a table that names its CSV file is in that file, rounded as it is shown."""

from __future__ import annotations

import csv
import re
from decimal import Decimal
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MARK = re.compile(r"^<!-- numbers: (results/[a-z_]+\.csv) -->\n((?:\|.*\n)+)", re.M)
TABLES = [
    pytest.param(table, ROOT / file, id=f"{page.stem}, {file}")
    for page in sorted((ROOT / "docs").rglob("*.md"))
    for file, table in MARK.findall(page.read_text(encoding="utf-8"))
]


def numbers(cell: str) -> list[Decimal]:
    """The numbers of a cell, if it has nothing else but separators and emphasis."""
    plain = cell.replace("*", "").replace(",", "").strip()
    return [Decimal(plain)] if re.fullmatch(r"-?\d+(\.\d+)?", plain) else []


def is_in(shown: Decimal, values: set[Decimal]) -> bool:
    step = Decimal(1).scaleb(int(shown.as_tuple().exponent))
    return any(abs(value - shown) * 2 <= step for value in values)


def test_there_are_such_tables():
    assert len(TABLES) >= 2


@pytest.mark.parametrize(("table", "file"), TABLES)
def test_numbers_are_the_files(table, file):
    with file.open(newline="", encoding="utf-8") as opened:
        header, *rows = csv.reader(opened)
    labels = " ".join(",".join(row) for row in rows)
    values = {value for row in rows for cell in row for value in numbers(cell)}
    values |= {Decimal(found) for found in re.findall(r"\d+(?:\.\d+)?", labels)}  # of settings within a name
    cells = [cell for line in table.splitlines()[2:] for cell in line.split("|")[1:-1]]
    shown = [value for cell in cells for value in numbers(cell)]
    assert shown
    assert header
    assert [str(value) for value in shown if not is_in(value, values)] == []
