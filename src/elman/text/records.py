"""Records: independent lines, such as names, log lines, messages and commit subjects.

A text of records is its lines, each with a line end; the line end before a record primes it, and its own is a part of
it, so a model learns where records end. Nothing else marks them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, overload

import numpy as np

from ..errors import InputError
from .vocabulary import Vocabulary

_BLANKS = re.compile(r"[^\S\n]+")
_AT_ENDS = re.compile(r" ?\n ?")


@overload
def record_lines(text: str, normalisation: str) -> str: ...
@overload
def record_lines(text: bytes, normalisation: str) -> bytes: ...
def record_lines(text: str | bytes, normalisation: str) -> str | bytes:
    """`text` with one kind of line end, also after its last line, each line normalised as by `text.normalise`.

    "book" also drops white space from both ends of a line. Line numbers stay; blank lines do too.
    """
    if isinstance(text, bytes):
        text = text.replace(b"\r\n", b"\n")
        return text if text.endswith(b"\n") else text + b"\n"
    text = text.replace("\r\n", "\n")
    if not text.endswith("\n"):
        text += "\n"
    if normalisation == "book":
        text = _AT_ENDS.sub("\n", _BLANKS.sub(" ", text.lower())).removeprefix(" ")
    return text


@overload
def without_blank_lines(text: str) -> str: ...
@overload
def without_blank_lines(text: bytes) -> bytes: ...
def without_blank_lines(text: str | bytes) -> str | bytes:
    """Records to train on: an empty one teaches nothing."""
    if isinstance(text, bytes):
        return re.sub(rb"\n\n+", b"\n", text).removeprefix(b"\n")
    return re.sub(r"\n\n+", "\n", text).removeprefix("\n")


def record_parts(parts: Iterable[Any], normalisation: str) -> Iterator[Any]:
    """`record_lines` of a text, or of bytes, that comes in parts, without blank lines; in parts of whole lines."""
    held: list[Any] = []
    for part in parts:
        cut = part.rfind("\n" if isinstance(part, str) else b"\n") + 1
        held.append(part[:cut] if cut else part)
        if cut:
            yield without_blank_lines(record_lines(part[:0].join(held), normalisation))
            held = [part[cut:]]
    if any(held):
        yield without_blank_lines(record_lines(held[0][:0].join(held), normalisation))


def line_end(vocabulary: Vocabulary) -> int:
    """The id that ends a record.

    Raises:
        InputError: a vocabulary of characters without it.
    """
    ids = vocabulary.encode("\n")
    if vocabulary.unknown(ids):
        raise InputError(
            "the model has never seen a line end, so it cannot tell records apart; train with `records`, or with "
            "`normalisation` none",
            setting=("records", "normalisation"),
        )
    return int(ids[0])


def record_spans(ids: np.ndarray, end: int) -> tuple[np.ndarray, np.ndarray]:
    """Start and length of each record in `ids`, which begins with a line end and ends with one.

    Returns:
        starts: int64 (R,), of the line end before each record.
        lengths: int64 (R,), characters of each, its own line end counted: ids[start + 1 : start + length + 1].
    """
    ends = np.flatnonzero(ids == end)
    return ends[:-1], np.diff(ends)
