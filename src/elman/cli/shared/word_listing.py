"""The list of words of `elman score`, as a table, JSON lines or CSV, with what regressions on reading times take."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...errors import InputError
from ...visible import visible
from .console import out
from .listing import write_rows

if TYPE_CHECKING:
    from ...scoring import Word
    from ...text import Rows

COLUMNS = (
    "file",
    "line",
    "word",
    "place",
    "bits",
    "entropy",
    "text",
    "length",
    "bare",
    "bare_bits",
    "frequency",
    "against",
)


@dataclass(frozen=True)
class Worded:
    """The words of a text, and what is listed beside them."""

    name: str
    words: Iterable[Word]
    rows: Rows
    """Its rows in its file: where each began, and the columns to keep."""
    against: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """The bits of each word under other models, by their names."""


def check_columns(keep: Sequence[str], spillover: int | None, frequency: str | None, form: str) -> None:
    """Raises InputError for columns that the list cannot have."""
    asked = (("--keep", keep or None), ("--spillover", spillover), ("--frequency", frequency))
    for option, value in asked if form == "table" else ():
        if value is not None:
            raise InputError(f"{option} adds columns for programs; give --csv or --json")
    taken = (*COLUMNS, *(f"bits_prev{k}" for k in range(1, (spillover or 0) + 1)))
    for name in keep:
        if name in taken or name.startswith("against "):
            raise InputError(f"--keep {name}: the list has a column {name!r} already; rename the file's column")


def list_words(
    texts: Iterable[Worded],
    form: str,
    spillover: int | None = None,
    counts: Mapping[str, int] | None = None,
    others: Sequence[str] = (),
) -> None:
    """A row for each word of the texts.

    Args:
        counts: how often words occur, as `scoring.word_counts` finds; None leaves the column out.
        others: names of the other models.
        spillover: for regressions on reading times: the bits of so many words before it in the line; None where there
            is none.
    """
    rows = (row for text in texts for row in _rows(text, spillover or 0, counts, form))
    if form != "table":
        write_rows(rows, form)
        return
    heads = "".join(f"  {f'bits {k}':>7}" for k in range(2, len(others) + 2))
    out.print(f"{'line':>6}  {'word':>4}  {'place':>7}  {'bits':>7}{heads}  {'entropy':>7}  text")
    for row in rows:
        more = "".join(f"  {bits:>7.2f}" for bits in row.get("against", {}).values())
        out.print(
            f"{row['line']:>6}  {row['word']:>4}  {row['place']:>7}  {row['bits']:>7.2f}{more}  {row['entropy']:>7.2f}"
            f"  {visible(row['text'])}"
        )
    for number, name in enumerate(others, 2):
        out.print(f"bits {number}: {visible(name)}")


def _rows(text: Worded, spillover: int, counts: Mapping[str, int] | None, form: str) -> Iterator[dict[str, Any]]:
    before: list[float] = []
    for number, word in enumerate(text.words):
        before = [] if word.number == 1 else before
        bits = round(word.bits, 6)
        row: dict[str, Any] = {
            "file": text.name,
            "line": text.rows.line(word.line),
            "word": word.number,
            "place": word.place,
            "bits": bits,
            "entropy": round(word.entropy, 6),
            "text": word.text,
            "length": word.length,
            "bare": word.bare,
            "bare_bits": round(word.bare_bits, 6),
        }
        if counts is not None:  # plus 1, since a word that never occurs has a logarithm then, too
            row["frequency"] = round(math.log10(counts.get(word.bare.lower(), 0) + 1), 6)
        if text.against:
            row["against"] = {name: round(costs[number], 6) for name, costs in text.against.items()}
        row |= {f"bits_prev{k}": before[-k] if k <= len(before) else None for k in range(1, spillover + 1)}
        kept = text.rows.columns(word.line)
        yield row | ({name: _cell(value) for name, value in kept.items()} if form == "csv" else kept)
        before = [*before[-spillover:], bits] if spillover else []


def _cell(value: Any) -> Any:
    """A value of JSON in CSV: text and numbers as they are, others as JSON."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, bool | list | dict) else value
