"""Inspection: what hidden units do over a text.

A unit's activation is tanh(c) for an LSTM, as in Karpathy's pictures, and h for the other cells. Which units to look at
is chosen by one plain measure: how much of a unit's variance a feature that anyone can see in the text explains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..model import Model
from ..scoring import Score, walk
from ..text import record_spans

_LEAST = 0.005  # of the variance: a unit of which a feature explains less is not shown for it, as 0.00
MEASURED = 50_000
"""Characters, from the text's beginning, on which units are chosen."""


@dataclass(frozen=True)
class Unit:
    """A hidden unit and the visible feature that explains most of it."""

    index: int
    feature: str
    """Empty if the text has no feature that varies."""
    explained: float
    """Share of the unit's variance between the feature's values, 0..1: the correlation ratio."""
    chance: float
    """The most of any unit, when the feature's values are given to the characters in reverse order."""


def kind(model: Model) -> str:
    """Definition of an activation of this model, in words."""
    return "tanh(c)" if model.cell == "lstm" else "h"


def units(
    model: Model, score: Score, layer: int | None = None, chosen: Sequence[int] | None = None
) -> tuple[list[Unit], np.ndarray]:
    """Hidden units and what each did at every character.

    Args:
        score: of `model`, of the text to look at.
        layer: 0 .. num_layers - 1; None: the last.
        chosen: indices, 0 .. hidden_size - 1. None: for each feature the unit that it explains best, best first; no
            unit twice, and none of which it explains less than 0.005.
    Returns:
        the units, and float32 (C, U): their activations when the model has read each of the text's C characters.
    Raises:
        InputError: a layer or unit that the model does not have.
    """
    layer = model.num_layers - 1 if layer is None else layer
    if not 0 <= layer < model.num_layers:
        raise InputError(f"layer must be in 0 .. {model.num_layers - 1}, got {layer}")
    for index in chosen or ():
        if not 0 <= index < model.hidden_size:
            raise InputError(f"a unit must be in 0 .. {model.hidden_size - 1}, got {index}")
    text = score.characters()[0]
    tokens = MEASURED if isinstance(score.data, str) else 4 * MEASURED
    few = score.part(0, tokens)
    sample = activations(model, few, layer, None)[:MEASURED]
    labels = {name: values for name, values in features(text[: len(sample)]).items() if len(np.unique(values)) > 1}
    explained = {name: correlation_ratio(sample, values) for name, values in labels.items()}
    chance = {name: float(correlation_ratio(sample, values[::-1]).max()) for name, values in labels.items()}
    if chosen is None:
        found = []
        for name in sorted(explained, key=lambda name: -explained[name].max()):
            free = explained[name].copy()
            free[[unit.index for unit in found]] = -1
            best = int(free.argmax())
            if free[best] >= _LEAST:
                found.append(Unit(best, name, float(free[best]), chance[name]))
        found.sort(key=lambda unit: -unit.explained)
    else:
        found = []
        for index in chosen:
            name = max(explained, key=lambda name: explained[name][index], default="")
            shares = (float(explained[name][index]), chance[name]) if name else (0.0, 0.0)
            found.append(Unit(index, name, *shares))
    return found, activations(model, score, layer, [unit.index for unit in found])


def features(text: str) -> dict[str, np.ndarray]:
    """Features of each character: name -> int64 (T,), equal where it is equal."""
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.int64)
    known, which = np.unique(points, return_inverse=True)

    def where(is_one: Any) -> np.ndarray:
        return np.array([is_one(chr(p)) for p in known], dtype=np.int64)[which]

    breaks, letters = where(lambda c: c == "\n"), where(str.isalpha)
    quotes = where(lambda c: c == '"')
    depth = np.cumsum(where(lambda c: c in "([{") - where(lambda c: c in ")]}"))
    return {
        "position in line": np.minimum(_since(np.roll(breaks, 1)) // 5, 16),
        "position in word": np.minimum(_since(1 - letters), 8),
        "white space": where(str.isspace),
        "inside quotes": np.cumsum(quotes) % 2,
        "inside brackets": np.clip(depth, 0, 3),
        "capital letter": where(str.isupper),
        "digit": where(str.isdigit),
        "punctuation": where(lambda c: not c.isalnum() and not c.isspace()),
    }


def _since(marks: np.ndarray) -> np.ndarray:
    """How many places back the last mark is, or the beginning."""
    places = np.arange(len(marks))
    return places - np.maximum.accumulate(np.where(marks != 0, places, 0))


def correlation_ratio(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """float64 (H,): the share of each column's variance, of values (T, H), that lies between the labels (T,)."""
    groups, which, counts = np.unique(labels, return_inverse=True, return_counts=True)
    sums = np.zeros((len(groups), values.shape[1]))
    for group in range(len(groups)):
        sums[group] = values[which == group].sum(0, dtype=np.float64)
    mean = values.mean(0, dtype=np.float64)
    between = (counts[:, None] * (sums / counts[:, None] - mean) ** 2).sum(0)
    total = ((values - mean) ** 2).sum(0)
    return np.divide(between, total, out=np.zeros_like(total), where=total > 0)


def activations(model: Model, score: Score, layer: int, chosen: Sequence[int] | None) -> np.ndarray:
    """float32 (C, U): the chosen units of a layer, or all, when the model has read each character of the text."""
    ids = model.reading.primed(model.reading.vocabulary.encode(score.data))
    if score.records:  # each is read from its line end before to its own, which begins the next one afresh
        end = model.reading.line_end
        if ids[-1] != end:
            ids = np.append(ids, ids.dtype.type(end))
        starts, lengths = record_spans(ids, end)
        lengths = lengths + 1
    else:
        starts, lengths = np.array([0]), np.array([len(ids)])
    wanted = list(range(model.hidden_size) if chosen is None else chosen)
    values = _walk_units(model, ids, starts, lengths, layer, wanted)
    values = np.delete(values, np.cumsum(lengths) - lengths, axis=0)  # after `start`, before the text
    return values[score.tokens_of_characters()[1]]


def _walk_units(
    model: Model, ids: np.ndarray, starts: np.ndarray, lengths: np.ndarray, layer: int, chosen: list[int]
) -> np.ndarray:
    """float32 (sum of lengths, U), in the order of the sequences."""
    offsets = np.cumsum(lengths) - lengths
    values = np.empty((int(lengths.sum()), len(chosen)), dtype=np.float32)
    for block in walk(model, ids, starts, lengths, lambda ids, _, state: model.activations(ids, layer, state)):
        values[block.places(offsets)] = block.values[block.counted][:, chosen]
    return values
