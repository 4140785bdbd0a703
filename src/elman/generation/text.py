"""Text from a model: greedy or sampled, one continuation or many, whole or as it is made.

Beam search, which keeps several strings and needs no draws, is in `beam`.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from typing import Any, overload

import numpy as np

from ..errors import InputError, whole_number
from ..model import Model
from .loop import Streams
from .sampling import Sampling
from .writer import Writer

_BURST = 0.01  # seconds, about: the longest time between two looks at the text, for a stop string or a reader


@overload
def generate(
    model: Model,
    prompt: str = "",
    length: int = 100,
    *,
    num_samples: None = None,
    stop: str | Sequence[str] = (),
    **settings: Any,
) -> str: ...
@overload
def generate(
    model: Model,
    prompt: str = "",
    length: int = 100,
    *,
    num_samples: int,
    stop: str | Sequence[str] = (),
    **settings: Any,
) -> list[str]: ...
@overload
def generate(
    model: Model,
    prompt: list[str],
    length: int = 100,
    *,
    num_samples: None = None,
    stop: str | Sequence[str] = (),
    **settings: Any,
) -> list[str]: ...
@overload
def generate(
    model: Model,
    prompt: list[str],
    length: int = 100,
    *,
    num_samples: int,
    stop: str | Sequence[str] = (),
    **settings: Any,
) -> list[list[str]]: ...
def generate(
    model: Model,
    prompt: str | list[str] = "",
    length: int = 100,
    *,
    num_samples: int | None = None,
    stop: str | Sequence[str] = (),
    **settings: Any,
) -> str | list[str] | list[list[str]]:
    """Continue `prompt` by at most `length` characters.

    Args:
        prompt: normalised as the model's corpus was. What the vocabulary lacks is read as <unk>;
            `Reading.unknown_characters` lists it. Empty: the model begins a text, or a record. For a list of prompts,
            a list of what each alone would give.
        length: most characters (bytes, for a model of bytes) to write, at least 0.
        num_samples: write so many continuations in one batch; sample i draws from (seed, i), whatever the number.
        stop: end before the first of these strings; one that never comes changes nothing. A model of records stops at
            the end of the record.
        settings: temperature, alpha, top_k, top_p, min_p, seed, allowed, logit_bias, repetition_penalty; see Sampling.
    Returns:
        the continuation, without the prompt and the stop string; a list of them if `num_samples` is given. <unk> is
        never written.
    Raises:
        ValueError: a setting out of range.
    """
    if isinstance(prompt, (list, tuple)):
        return [
            generate(model, each, length, num_samples=num_samples, stop=stop, **settings)  # type: ignore[call-overload]
            for each in prompt
        ]
    texts = [""] * (1 if num_samples is None else whole_number("num_samples", num_samples, 1))
    for index, piece in _stream(model, prompt, length, len(texts), stop, settings):
        texts[index] += piece
    return texts[0] if num_samples is None else texts


@overload
def stream(
    model: Model,
    prompt: str = "",
    length: int = 100,
    *,
    num_samples: None = None,
    stop: str | Sequence[str] = (),
    **settings: Any,
) -> Iterator[str]: ...
@overload
def stream(
    model: Model,
    prompt: str = "",
    length: int = 100,
    *,
    num_samples: int,
    stop: str | Sequence[str] = (),
    **settings: Any,
) -> Iterator[tuple[int, str]]: ...
def stream(
    model: Model,
    prompt: str = "",
    length: int = 100,
    *,
    num_samples: int | None = None,
    stop: str | Sequence[str] = (),
    **settings: Any,
) -> Iterator[str] | Iterator[tuple[int, str]]:
    """What `generate` returns, piece by piece as it is made: never half a character, never a part of a stop string.

    Yields:
        pieces of the continuation; (sample, piece) if `num_samples` is given.
    Raises:
        ValueError: as `generate`, before the first piece is asked for.
    """
    if num_samples is not None:
        return _stream(model, prompt, length, num_samples, stop, settings)
    return (piece for _, piece in _stream(model, prompt, length, 1, stop, settings))


def _stream(
    model: Model, prompt: str, length: int, count: int, stop: str | Sequence[str], settings: dict[str, Any]
) -> Iterator[tuple[int, str]]:
    sampling, ids = Sampling(**settings), model.reading.prompt(prompt)
    length, count = whole_number("length", length), whole_number("num_samples", count, 1)
    stops = (stop,) if isinstance(stop, str) or not isinstance(stop, Collection) else tuple(stop)
    if not all(isinstance(each, str) for each in stops):
        raise InputError(f"stop must be a str or several, got {stop!r}")
    if "" in stops:
        raise InputError("a stop string is empty; leave it out")
    if model.reading.records:
        stops = (*stops, "\n")
    streams = Streams(model, np.repeat(ids[:, None], count, axis=1), sampling)
    return _pieces(model, streams, length, stops, count)


def _pieces(model: Model, streams: Streams, length: int, stops: Sequence[str], count: int) -> Iterator[tuple[int, str]]:
    writers = [Writer(model.reading.vocabulary, stops) for _ in range(count)]
    burst, done = 1, 0
    while done < length and not all(w.ended for w in writers):
        steps, start = min(burst, length - done), time.perf_counter()
        made = streams.advance(steps)
        done += steps
        if time.perf_counter() - start < _BURST / 2:
            burst *= 2
        for index, writer in enumerate(writers):
            if piece := writer.write(made[:, index]):
                yield index, piece
    for index, writer in enumerate(writers):
        if piece := writer.close():
            yield index, piece
