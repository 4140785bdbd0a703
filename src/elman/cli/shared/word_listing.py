"""The list of words of `elman score`, as a table, JSON lines or CSV, with what regressions on reading times take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ...errors import InputError
from ...visible import visible
from .console import out
from .listing import write_rows

if TYPE_CHECKING:
    from ...scoring import Word

_PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\u2018\u2019\u201c\u201d\u00ab\u00bb\u2026\u2013\u2014"


def _spilt(words: Iterable[Word], spillover: int | None) -> Iterator[tuple[Word, dict[str, Any]]]:
    """Each word with the columns of its spillover: `length`, without punctuation at its ends, and `bits_prev1` ..."""
    before: list[float] = []
    for word in words:
        if spillover is None:
            yield word, {}
            continue
        before = [] if word.number == 1 else before
        bare = len(word.text.strip(_PUNCTUATION)) or len(word.text)
        last = {f"bits_prev{k}": before[-k] if k <= len(before) else None for k in range(1, spillover + 1)}
        yield word, {"length": bare, **last}
        before = [*before[-spillover:], round(word.bits, 6)] if spillover else []


def list_words(files: Iterable[tuple[str, Iterable[Word]]], form: str, spillover: int | None = None) -> None:
    """A row for each word of the files.

    Args:
        spillover: for regressions on reading times: the word's length, and the bits of so many words before it in the
            line; None where there is none.
    """
    if spillover is not None and form == "table":
        raise InputError("--spillover adds columns for programs; give --csv or --json")
    rows = (
        {
            "file": name,
            "line": word.line,
            "word": word.number,
            "place": word.place + 1,
            "bits": round(word.bits, 6),
            "entropy": round(word.entropy, 6),
            "text": word.text,
            **more,
        }
        for name, words in files
        for word, more in _spilt(words, spillover)
    )
    if form != "table":
        write_rows(rows, form)
        return
    out.print(f"{'line':>6}  {'word':>4}  {'place':>7}  {'bits':>7}  {'entropy':>7}  text")
    for row in rows:
        out.print(
            f"{row['line']:>6}  {row['word']:>4}  {row['place']:>7}  {row['bits']:>7.2f}  {row['entropy']:>7.2f}  "
            + visible(row["text"])
        )
