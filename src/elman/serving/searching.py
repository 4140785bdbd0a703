"""Searching: `beam` and `new`, which look for texts in place of drawing each that was asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..generation import Sampling
from ..generation.beam import likeliest_ids, written
from ..generation.new import records_after
from .fields import Fields, shown
from .limits import Limits
from .refusal import Refused
from .served import Served

_LOGITS = 1 << 24  # of a prompt, which is read in one call
_ELSEWHERE = {
    "corpus": "names a file, which no request can; send the records that are not new as known",
    "field": "is of corpus; send the records that are not new as known",
    "check": "is a command, which no request can run; check the records that come back",
}


@dataclass(frozen=True)
class Found:
    """A text that a search found."""

    text: str
    bits: float
    symbols: int
    """How many were written, a record's end included."""
    finish_reason: str


@dataclass(frozen=True, eq=False)
class Search:
    """A search after each prompt."""

    prompts: list[np.ndarray]
    look: Callable[[np.ndarray, Callable[[], None]], list[Found]]

    def found(self, going_on: Callable[[], None]) -> list[list[Found]]:
        return [self.look(prompt, going_on) for prompt in self.prompts]


def search_of(
    fields: Fields, served: Served, prompts: list[np.ndarray], length: int, sampling: Sampling, limits: Limits
) -> Search | None:
    """The search that a request asks for; None: it has neither `beam` nor `new`. Raises Refused for what does not fit.

    Args:
        sampling: what the request says of drawing.
    """
    for name, text in _ELSEWHERE.items():
        if fields.get(name) is not None:
            raise Refused(f"{name} {text}", param=name)
    beam = fields.whole("beam", least=1, most=limits.texts)
    new = fields.whole("new", least=1, most=limits.texts)
    known = _strings(fields, "known")
    if beam is not None and new is not None:
        raise Refused("beam and new are different ways to write; give one of them", param="beam")
    if new is None and known is not None:
        raise Refused("known is of new, which says how many records to write; give it too", param="known")
    count: int | None = beam if new is None else new
    if count is None:
        return None
    for name in ("stream", "best_of", "stop", "logprobs", "prompt_logprobs", "return_token_ids"):
        if not any(fields.get(name) is nothing for nothing in (None, False)) and fields.get(name) != []:
            raise Refused(f"a search gives whole texts with their bits; leave out {name}", param=name)
    if len(prompts) * count > limits.texts:
        raise Refused(f"{len(prompts)} prompts times {count}; one request finds at most {limits.texts} texts")
    if max(map(len, prompts)) * served.model.vocab_size > _LOGITS:
        most = _LOGITS // served.model.vocab_size
        raise Refused(f"a prompt has more than {most:,} symbols, the most before a search", 413, "prompt")
    if new is not None:
        return _new(fields, served, prompts, length, sampling, new, frozenset(known or ()))
    if sampling != Sampling(seed=sampling.seed):
        raise Refused("beam draws nothing; leave out what shapes a draw", param="beam")
    n = fields.whole("n", "num_samples", least=1, most=count, default=count)
    return Search(prompts, lambda ids, going_on: _likeliest(served, ids, length, count, going_on)[:n])


def _new(
    fields: Fields,
    served: Served,
    prompts: list[np.ndarray],
    length: int,
    sampling: Sampling,
    count: int,
    known: frozenset[str],
) -> Search:
    if fields.get("n", "num_samples") is not None:
        raise Refused("new says how many; leave out n", param="n")
    if not served.records:
        raise Refused("new is of records, and this model is not one of records", param="new")
    vocabulary = served.model.reading.vocabulary

    def look(ids: np.ndarray, going_on: Callable[[], None]) -> list[Found]:
        begun = vocabulary.decode(ids)
        records = records_after(served.model, ids, known, count, length, sampling, going_on=going_on)
        rests = [(record.text.removeprefix(begun), record.bits) for record in records]
        return [Found(rest, bits, len(vocabulary.encode(rest)) + 1, "stop") for rest, bits in rests]

    return Search(prompts, look)


def _likeliest(served: Served, ids: np.ndarray, length: int, width: int, going_on: Callable[[], None]) -> list[Found]:
    reading, found = served.model.reading, []
    for one in likeliest_ids(served.model, ids, length, width, going_on):
        ended = reading.records and one[1][-1:] == (reading.line_end,)
        found.append(Found(*written(served.model, one), len(one[1]), "stop" if ended else "length"))
    return found


def _strings(fields: Fields, name: str) -> list[str] | None:
    value: Any = fields.get(name)
    if value is not None and not (isinstance(value, list) and all(isinstance(each, str) for each in value)):
        raise Refused(f"{name} is {shown(value)}; expected a list of strings", param=name)
    return value
