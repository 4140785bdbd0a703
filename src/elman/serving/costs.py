"""Costs: what `/v1/score` says of texts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from math import isfinite
from typing import Any

import numpy as np

from ..errors import InputError
from ..model import Model
from ..scoring import Score, after, score_many, words
from .answers import FLOOR
from .fields import shown
from .refusal import Refused
from .served import Served


def line_text(line: bytes, number: int) -> str | None:
    """The text of a JSON line; None for a blank one."""
    if not line.strip():
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise Refused(f"line {number} is not JSON") from None
    text = value.get("text") if isinstance(value, dict) else value
    if not isinstance(text, str):
        raise Refused(f"line {number} is {shown(value)}; expected a string, or an object with a text")
    return text


class _AttendedModel:
    """A model that calls `going_on` before each piece of a text that it reads."""

    def __init__(self, model: Model, going_on: Callable[[], None]) -> None:
        self._model, self._going_on = model, going_on

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __call__(self, *given: Any) -> Any:
        self._going_on()
        return self._model(*given)

    def loss(self, *given: Any) -> Any:
        self._going_on()
        return self._model.loss(*given)


def scored(served: Served, texts: list[str], by: str, going_on: Callable[[], None]) -> list[dict[str, Any]]:
    """Cost of each text; an empty one costs nothing. Raises InputError for a model that diverged.

    Args:
        going_on: called before each piece that is read; what it raises ends the work.
    """
    model: Any = _AttendedModel(served.model, going_on)
    some = [text for text in texts if text]
    scores = score_many(model, some) if some else []
    _check(score.bits for score in scores)
    found = iter(scores)
    return [_of_score(served, model, next(found), by) if text else {"bits": 0.0, "symbols": []} for text in texts]


def next_symbols(served: Served, text: str, count: int, going_on: Callable[[], None]) -> list[dict[str, Any]]:
    """The likeliest symbols after a text. Raises InputError for a model that diverged.

    Args:
        going_on: called before the text is read; what it raises ends the work.
    """
    going_on()
    found = after(served.model, text, count)
    _check(probability for _, probability in found)
    return [{"text": symbol, "probability": probability} for symbol, probability in found]


def _check(values: Iterable[float]) -> None:
    if not all(map(isfinite, values)):  # which JSON could not say
        raise InputError("the model's logits are not numbers; its training has diverged")


def _of_score(served: Served, model: Model, score: Score, by: str) -> dict[str, Any]:
    whole = {
        "text": score.text, "bits": score.bits, "bits_per_char": score.bits_per_char,
        "bits_per_byte": score.bits_per_byte, "perplexity": score.perplexity, "characters": score.num_characters,
        "unknown": score.unknown,
    }  # fmt: skip
    if by == "words":
        return whole | {"words": [vars(word) for word in words(model, score)]}
    lines = score.lines()
    burst = int(np.argmax(lines.bursts)) if len(lines) else None
    if burst is not None:
        begin, end = lines.burst_span(burst)
        whole["burst"] = {"line": burst + 1, "bits": float(lines.bursts[burst]), "from": begin, "to": end}
    if by == "lines":
        rows = [
            {"line": i + 1, "text": lines.text(i), "bits": float(lines.bits[i]), "burst": float(lines.bursts[i])}
            for i in range(len(lines))
        ]
        return whole | {"lines": rows}
    ids = served.model.reading.vocabulary.encode(score.data)
    costs = zip(ids.tolist(), score.surprisal.tolist(), strict=True)
    return whole | {"symbols": [{"text": served.names[id], "id": id, "bits": min(bits, -FLOOR)} for id, bits in costs]}
