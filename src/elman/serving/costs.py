"""Costs: what `/v1/score` says of texts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from math import isfinite
from typing import Any

import numpy as np

from ..errors import InputError
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


def scored(served: Served, texts: list[str], by: str) -> list[dict[str, Any]]:
    """Cost of each text; an empty one costs nothing. Raises InputError for a model that diverged."""
    some = [text for text in texts if text]
    scores = score_many(served.model, some) if some else []
    _check(score.bits for score in scores)
    found = iter(scores)
    return [_of_score(served, next(found), by) if text else {"bits": 0.0, "symbols": []} for text in texts]


def next_symbols(served: Served, text: str, count: int) -> list[dict[str, Any]]:
    """The likeliest symbols after a text. Raises InputError for a model that diverged."""
    found = after(served.model, text, count)
    _check(probability for _, probability in found)
    return [{"text": symbol, "probability": probability} for symbol, probability in found]


def _check(values: Iterable[float]) -> None:
    if not all(map(isfinite, values)):  # which JSON could not say
        raise InputError("the model's logits are not numbers; its training has diverged")


def _of_score(served: Served, score: Score, by: str) -> dict[str, Any]:
    whole = {
        "text": score.text, "bits": score.bits, "bits_per_char": score.bits_per_char,
        "bits_per_byte": score.bits_per_byte, "perplexity": score.perplexity, "characters": score.num_characters,
        "unknown": score.unknown,
    }  # fmt: skip
    if by == "words":
        return whole | {"words": [vars(word) for word in words(served.model, score)]}
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
