"""Spans: texts of any size scored piece by piece, as they come, in memory that does not grow with them.

The bits equal the whole text's, wherever it is cut: a record is independent, and through any other text the
model's state is carried.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np

from ..model import Model
from ..text import Reading, normalised_parts
from .blocks import (
    Carry,
    record_bits,
    record_entropies,
    sequence_entropies,
    sequence_nats,
    text_bits,
    text_entropies,
)
from .scores import Score, scored

_PIECE = 1 << 18
"""Characters or bytes of a piece, about: they take some 10 MB until they are scored."""


@dataclass(frozen=True, eq=False)
class Span:
    """A piece of a text, and what it cost."""

    text: int
    """Which of the texts it is of, from 0."""
    score: Score
    entropies: np.ndarray | None = None
    """float64 (T,): bits that each token was expected to cost, where they were asked for."""


def spans(
    model: Model,
    texts: Iterable[Iterable[str] | Iterable[bytes]],
    *,
    records: bool | None = None,
    whole_lines: bool = False,
    entropies: bool = False,
) -> Iterator[Span]:
    """Score each of the texts, which come in parts. Short ones are read side by side; their order stays.

    Args:
        texts: the parts of each, cut anywhere, as `score` would take all of them; an empty text has no span.
        records: as for `score`.
        whole_lines: cut texts after line ends alone. Else a text that has none is cut anywhere.
        entropies: what the tokens were expected to cost as well, in as much time again.
    Raises:
        InputError: records of a model that knows no line end.
    """
    reading = model.reading
    by_line = reading.records if records is None else records
    group: list[tuple[int, str | bytes]] = []
    for number, parts in enumerate(texts):
        pieces = _pieces(reading, parts, by_line, whole_lines)
        begun = list(islice(pieces, 2))
        if len(begun) > 1:
            yield from _side_by_side(model, group, by_line, entropies)
            group = []
            yield from _one(model, number, chain(begun, pieces), by_line, entropies)
            continue
        group += [(number, piece) for piece in begun]
        if sum(len(piece) for _, piece in group) >= _PIECE:
            yield from _side_by_side(model, group, by_line, entropies)
            group = []
    yield from _side_by_side(model, group, by_line, entropies)


def _side_by_side(
    model: Model, group: Sequence[tuple[int, str | bytes]], by_line: bool, entropies: bool
) -> Iterator[Span]:
    """Whole texts."""
    parts = [model.reading.vocabulary.encode(data) for _, data in group]
    bits = (record_bits if by_line else text_bits)(model, parts)
    expected: Sequence[np.ndarray | None] = [None] * len(parts)
    if entropies:
        expected = (record_entropies if by_line else text_entropies)(model, parts)
    for (number, data), ids, cost, entropy in zip(group, parts, bits, expected, strict=True):
        yield Span(number, scored(model.reading, data, ids, cost, by_line), entropy)


def _one(model: Model, number: int, pieces: Iterable[str | bytes], by_line: bool, entropies: bool) -> Iterator[Span]:
    """One text, piece by piece."""
    if by_line:
        for piece in pieces:
            yield from _side_by_side(model, [(number, piece)], by_line, entropies)
        return
    before, read, expected = model.reading.start, Carry(), Carry()
    for piece in pieces:
        ids = model.reading.vocabulary.encode(piece)
        sequence = np.append(np.array([before], dtype=ids.dtype), ids), np.zeros(1, np.int64), np.array([len(ids)])
        bits = sequence_nats(model, *sequence, read) / math.log(2)
        entropy = sequence_entropies(model, *sequence, expected) / math.log(2) if entropies else None
        before = int(ids[-1])
        yield Span(number, scored(model.reading, piece, ids, bits, by_line), entropy)


def _pieces(reading: Reading, parts: Iterable[Any], by_line: bool, whole_lines: bool) -> Iterator[str | bytes]:
    """A text as the model reads it, in pieces, each of which is read by itself as within the whole."""
    if by_line:
        for lines in _cut(parts, True):
            yield reading.prepare(lines, True)
        return
    if reading.normalisation != "none" and not reading.is_bytes:
        parts = normalised_parts(parts, reading.normalisation)
    of_one = reading.vocabulary.kind in ("chars", "bytes")  # other tokens end where a line does
    for piece in _cut(parts, whole_lines or not of_one):
        yield (
            piece.encode("utf-8", "surrogatepass")
            if reading.vocabulary.reads_bytes and isinstance(piece, str)
            else piece
        )


def _cut(parts: Iterable[Any], whole_lines: bool) -> Iterator[Any]:
    """Cut into pieces of about `_PIECE` entries, after line ends; where there are none, between characters."""
    held: list[Any] = []
    for part in parts:
        newline: Any = "\n" if isinstance(part, str) else b"\n"
        held.append(part)
        if sum(map(len, held)) <= _PIECE or (whole_lines and newline not in part):
            continue
        text, begin = part[:0].join(held), 0
        while len(text) - begin > _PIECE:
            end = text.rfind(newline, begin, begin + _PIECE) + 1
            if not end and whole_lines:
                end = text.find(newline, begin + _PIECE) + 1
                if not end:
                    break
            end = end or _border(text, begin + _PIECE)
            yield text[begin:end]
            begin = end
        held = [text[begin:]] if begin < len(text) else []
    if any(held):
        yield held[0][:0].join(held)


def _border(text: Any, place: int) -> int:
    """The last place up to `place` where no character is cut, should the bytes be UTF-8."""
    if isinstance(text, bytes):
        for back in range(4):
            if text[place - back] & 0xC0 != 0x80:
                return place - back
    return place
