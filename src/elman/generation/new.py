"""New records: what a model of records writes that is in no list, each once, likeliest first."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from .. import given
from ..errors import InputError, whole_number
from ..model import Model
from .beam import Beam
from .loop import Streams
from .sampling import Sampling

_ROWS = 64  # records written side by side
_BURST = 16  # characters between two looks at whether they have ended
_TRIES = 200  # records written for each that is asked for, at most: a model that recites finds no new one


def new_records(
    model: Model,
    known: Collection[str],
    count: int,
    prompt: str = "",
    length: int = 200,
    *,
    check: Callable[[str], bool] | None = None,
    **settings: Any,
) -> list[Beam]:
    """Records that the model writes and that are not `known`: whole, distinct and not empty, likeliest first.

    Args:
        model: one of records.
        known: records not to write, each as the model reads it; the training list, say.
        count: how many, at least 1. Fewer are returned if 200 times as many draws do not give so many.
        prompt: how each begins.
        length: most characters after the prompt; a record that is longer is not whole, and left out.
        check: says of a record whether it is valid; others are left out. Called once for each.
        settings: as in `generate`; the seed decides the draws.
    Returns:
        text: the whole record, the prompt included. bits: the cost of what follows the prompt, its end counted.
    Raises:
        InputError: a model that is not one of records, or a setting out of range.
    """
    reading = model.reading
    if not reading.records:
        raise InputError("only a model of records writes new ones; train with `records`", setting="records")
    count, length = whole_number("the number of new records", count, 1), whole_number("length", length)
    given.call("check", check)
    known = known if isinstance(known, (set, frozenset)) else frozenset(known)
    return records_after(model, reading.prompt(prompt), known, count, length, Sampling(**settings), check)


def records_after(
    model: Model,
    ids: np.ndarray,
    known: Collection[str],
    count: int,
    length: int,
    sampling: Sampling,
    check: Callable[[str], bool] | None = None,
    going_on: Callable[[], None] = lambda: None,
) -> list[Beam]:
    """`new_records` after the ids of a prompt, (T,).

    Args:
        going_on: called before each batch of records; what it raises ends the search.
    """
    reading, vocabulary, found = model.reading, model.reading.vocabulary, dict[str, float]()
    refused: set[str] = set()
    begun = vocabulary.decode(ids)
    for first in range(0, max(1024, _TRIES * count), _ROWS):
        going_on()
        streams = Streams(model, np.repeat(ids[:, None], _ROWS, axis=1), sampling, first)
        for row in _records(streams, length + 1, reading.line_end):
            text = begun + vocabulary.decode(row[:-1])
            if text and text not in known and text not in found and text not in refused:
                if check is not None and not check(text):
                    refused.add(text)
                    continue
                found[text] = _bits(model, reading.primed(ids), row)
                if len(found) == count:
                    return _likeliest(found)
        if sampling.temperature == 0:  # every draw is the same
            break
    return _likeliest(found)


def _records(streams: Streams, most: int, end: int) -> list[np.ndarray]:
    """The rows that end within so many ids, each with its end."""
    made = streams.advance(min(_BURST, most))
    while len(made) < most and not (made == end).any(0).all():
        made = np.concatenate((made, streams.advance(min(_BURST, most - len(made)))))
    ends = [np.flatnonzero(row == end) for row in made.T]
    return [row[: at[0] + 1] for row, at in zip(made.T, ends, strict=True) if len(at)]


def _bits(model: Model, prompt: np.ndarray, row: np.ndarray) -> float:
    """-log2 of the probability of `row` after the prompt, which is primed."""
    ids = np.concatenate((prompt, row))
    logits, _ = model(ids[:-1, None])
    nats = -model.log_softmax(logits[:, 0])[np.arange(len(ids) - 1), ids[1:]].astype(np.float64)
    return math.fsum(nats[len(prompt) - 1 :]) / math.log(2)


def _likeliest(found: dict[str, float]) -> list[Beam]:
    return [Beam(text, bits) for text, bits in sorted(found.items(), key=lambda item: (item[1], item[0]))]
