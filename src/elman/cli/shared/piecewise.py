"""`elman score` of texts of any size: piece by piece, written as it is made, in memory that does not grow with them."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain, groupby, islice
from typing import TYPE_CHECKING, Any, cast

from ...errors import EmptyTextError, InputError
from .console import err
from .listing import line_row, list_characters, list_lines
from .summary import summarise_texts
from .word_listing import Worded, list_words

if TYPE_CHECKING:
    import numpy as np

    from ...model import Model
    from ...scoring import Score, Span
    from ...text import Rows


@dataclass(frozen=True)
class Listed:
    """The lists that are asked for; without any, totals."""

    lines: bool
    top: int | None
    above: float | None
    words: bool
    chars: bool
    spillover: int | None = None
    """Words before each word whose bits are listed beside it."""
    keep: tuple[str, ...] = ()
    """Columns of the file that are listed beside each word."""
    frequency: str | None = None
    """The text in which each word is counted, or a table of counts."""

    def counts(self) -> Counter[str] | None:
        """How often each word occurs."""
        from ...corpora import load_corpus
        from ...scoring import is_word_table, word_counts, word_table

        if self.frequency is None:
            return None
        if is_word_table(self.frequency):
            return word_table(self.frequency)
        return word_counts(cast("str", load_corpus(self.frequency, normalisation="none").text))

    def rows(self, model: Model, names: Sequence[str], records: bool | None) -> list[Rows]:
        """A keeper of rows for each of the texts. Raises InputError where rows are not read one by one."""
        from ...text import Rows

        by_line = model.reading.records if records is None else records
        if self.keep and not by_line:
            raise InputError("--keep takes each row by itself; leave out --no-records")
        return [Rows(self.keep) for _ in names]


def stream(
    model: Model,
    names: Sequence[str],
    how: tuple[str | None, str, str | None],
    records: bool | None,
    what: Listed,
    form: str,
) -> bool:
    """Score the texts called `names` and write what was asked for. how: encoding, errors and field, as `text_parts`
    takes them. Returns whether a line was listed."""
    from ...scoring import spans

    counts = what.counts()
    by_file = what.rows(model, names, records)
    texts = [_parts(model, name, how, what.lines, rows) for name, rows in zip(names, by_file, strict=True)]
    whole_lines = what.lines or what.words
    pieces = spans(model, texts, records=records, whole_lines=whole_lines, entropies=what.words)
    found: Iterable[Span] = chain([*islice(pieces, 1)], pieces)  # what is wrong from the start shows before any output
    totals = what.top is not None or not (whole_lines or what.chars)
    with err.status("reading") if totals and err.is_terminal else nullcontext() as status:
        if status:
            found = _shown(found, status)
        if what.lines:
            rows = _rows(names, found, what, by_file)
            rows = rows if what.top is None else iter(heapq.nsmallest(what.top, rows, key=lambda row: -row["burst"]))
            return _counted(rows, form)
        if what.words:
            list_words(_words(names, found, by_file), form, what.spillover, counts)
        elif what.chars:
            list_characters(names, found, form)
        else:
            summarise_texts(model, names, found, form)
    return False


def _parts(
    model: Model, name: str, how: tuple[str | None, str, str | None], by_line: bool, rows: Rows
) -> Iterator[Any]:
    """A text to score. An empty one has no lines, which is no error where lines are listed."""
    from ...corpora import text_parts

    encoding, errors, field = how
    parts = text_parts(model.reading, name, encoding=encoding, encoding_errors=errors, field=field, rows=rows)

    def some() -> Iterator[Any]:
        try:
            yield from parts
        except EmptyTextError:
            if not by_line:
                raise

    return some()


def _shown(found: Iterable[Span], status: Any) -> Iterator[Span]:
    """Yield each part, while a terminal shows how much has been read."""
    size = 0
    for piece in found:
        size += len(piece.score.data)
        status.update(f"read {size:,} characters")
        yield piece


def _rows(
    names: Sequence[str], found: Iterable[Span], what: Listed, by_file: Sequence[Rows]
) -> Iterator[dict[str, Any]]:
    """A row for each line, or for those that can be among the listed ones."""
    least: list[float] = []  # a heap of the largest bursts so far
    for number, of_one in groupby(found, key=lambda piece: piece.text):
        before = 0
        for piece in of_one:
            lines = piece.score.lines()
            chosen: Any = range(len(lines))
            if what.top is not None or what.above is not None:
                chosen = lines.top(len(lines) if what.top is None else what.top)
                chosen.sort()
            if what.above is not None:
                chosen = chosen[lines.bursts[chosen] >= what.above]
            for index in chosen:
                if what.top is not None:
                    burst = float(lines.bursts[index])
                    if len(least) == what.top and burst <= least[0]:
                        continue
                    (heapq.heappush if len(least) < what.top else heapq.heapreplace)(least, burst)
                yield line_row(names[number], lines, int(index), by_file[number].line(before + int(index) + 1))
            before += len(lines)
            by_file[number].forget(before + 1)


def _counted(rows: Iterable[dict[str, Any]], form: str) -> bool:
    """List them. Returns whether there was one."""
    some = False

    def passed() -> Iterator[dict[str, Any]]:
        nonlocal some
        for row in rows:
            some = True
            yield row

    list_lines(passed(), form)
    return some


def _words(names: Sequence[str], found: Iterable[Span], by_file: Sequence[Rows]) -> Iterator[Worded]:
    from ...scoring import words_of

    def pieces(of_one: Iterable[Span], rows: Rows) -> Iterator[tuple[Score, np.ndarray]]:
        line = 1
        for piece in of_one:
            rows.forget(line)
            if piece.entropies is not None:
                yield piece.score, piece.entropies
            line += piece.score.text.count("\n")

    for number, of_one in groupby(found, key=lambda piece: piece.text):
        yield Worded(names[number], words_of(pieces(of_one, by_file[number])), by_file[number])
