"""Records beside a training list: how many of those that a model writes are in it, and the nearest to the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..text import Vocabulary

_BUCKETS = 64  # characters are counted by their id modulo this: counts bound the distance from below
_BLOCK = 256  # records compared at once


@dataclass(frozen=True)
class Nearest:
    """A record that the model wrote and the list lacks, and the record of the list that is nearest to it."""

    text: str
    nearest: str
    edits: int
    """Characters to insert, delete or replace; ties: the first in the list."""


@dataclass(frozen=True)
class RecordReport:
    """Records that a model wrote, compared with its training list."""

    written: int
    distinct: float
    """Share of what was written that is no repetition."""
    known: float
    """Share of what was written that is in the training list."""
    held_out_known: float | None
    """Share of the held-out records, which no model wrote, in the training list; None if none were held out."""
    training: int
    """Distinct records of the training list."""
    nearest: list[Nearest]
    """Nearest records of the first distinct ones that are not in the list."""


def records_report(
    generated: np.ndarray, corpus: np.ndarray, held_out: np.ndarray | None, vocabulary: Vocabulary, count: int = 10
) -> RecordReport:
    """How much of what a model of records wrote is in its training list, and what is nearest to the rest.

    Args:
        generated, corpus, held_out: ids of records, each with its line end; what follows the last line end is left out.
        count: of records to find the nearest of.
    Raises:
        InputError: no whole record in one of the first two.
    """
    written, training = _split(generated, vocabulary), list(dict.fromkeys(_split(corpus, vocabulary)))
    if not written or not training:
        raise InputError("nothing to compare: there is no whole record")
    known = set(training)
    apart = _split(held_out, vocabulary) if held_out is not None else []
    new = [text for text in dict.fromkeys(written) if text and text not in known][:count]
    return RecordReport(
        len(written),
        len(set(written)) / len(written),
        sum(text in known for text in written) / len(written),
        sum(text in known for text in apart) / len(apart) if apart else None,
        len(training),
        nearest(new, training),
    )


def _split(ids: np.ndarray, vocabulary: Vocabulary) -> list[str]:
    return vocabulary.decode(ids).split("\n")[:-1]


def nearest(texts: Sequence[str], records: Sequence[str]) -> list[Nearest]:
    """Find for each text the record with the fewest edits between them.

    Records are tried in the order of a bound that counting characters gives, until it reaches what was found.
    """
    counts, found = np.stack([_counts(record) for record in records]), []
    for text in texts:
        difference = counts - _counts(text)
        bound = np.maximum(np.maximum(difference, 0).sum(1), np.maximum(-difference, 0).sum(1))
        order = np.argsort(bound, kind="stable")
        best, at = len(text) + max(map(len, records)) + 1, 0
        for first in range(0, len(order), _BLOCK):
            block = order[first : first + _BLOCK]
            if bound[block[0]] > best:
                break
            near: Any = [records[int(i)] for i in block]
            edits = _edits(text, near)
            least = int(edits.min())
            place = int(block[edits == least].min())
            if least < best or (least == best and place < at):
                best, at = least, place
        found.append(Nearest(text, records[at], best))
    return found


def _counts(text: str) -> np.ndarray:
    """int32 (64,): how often characters of each bucket occur."""
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    return np.bincount(points % _BUCKETS, minlength=_BUCKETS).astype(np.int32)


def _edits(text: str, records: Sequence[str]) -> np.ndarray:
    """int64 (R,): the edits between the text and each record. Source: Levenshtein (1966); Wagner and Fischer (1974)."""
    lengths = np.array([len(record) for record in records])
    width = int(lengths.max())
    codes = np.zeros((width, len(records)), dtype=np.int64)
    for k, record in enumerate(records):
        codes[: len(record), k] = [ord(c) for c in record]
    row = np.repeat(np.arange(width + 1)[:, None], len(records), axis=1)  # row[j, k]: from nothing to j characters of k
    for i, character in enumerate(map(ord, text), 1):
        before, row = row, np.empty_like(row)
        row[0] = i
        replaced = before[:-1] + (codes != character)
        kept = np.minimum(replaced, before[1:] + 1)
        for j in range(width):
            np.minimum(kept[j], row[j] + 1, out=row[j + 1])
    return row[lengths, np.arange(len(records))]
