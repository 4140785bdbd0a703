"""Text from a model: greedy or sampled, one continuation or many, whole or as it is made.

Beam search, which keeps several strings and needs no draws, is in `beam`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, overload

from ..errors import InputError, whole_number
from ..model import Model
from .batch import Batch, complete
from .completion import Text
from .new import new_records
from .sampling import Sampling

_SAMPLES = 1_000_000
"""Samples of one call, at most: each takes about a kilobyte from the start."""


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
@overload
def generate(
    model: Model,
    prompt: str = "",
    length: int = 100,
    *,
    new: int,
    known: Collection[str] = (),
    check: Callable[[str], bool] | None = None,
    **settings: Any,
) -> list[str]: ...
def generate(
    model: Model,
    prompt: str | list[str] = "",
    length: int = 100,
    *,
    num_samples: int | None = None,
    stop: str | Sequence[str] = (),
    new: int | None = None,
    known: Collection[str] = (),
    check: Callable[[str], bool] | None = None,
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
        new: write so many whole records that are not in `known` and that `check`, if given, says are valid, each once:
            see `generation.new_records`.
        settings: temperature, alpha, top_k, top_p, min_p, seed, allowed, logit_bias, repetition_penalty; see Sampling.
    Returns:
        the continuation, without the prompt and the stop string; a list of them if `num_samples` is given. <unk> is
        never written. With `new`, the records, likeliest first, the prompt included.
    Raises:
        InputError: a setting out of range.
    """
    if new is not None:
        if num_samples is not None or stop or isinstance(prompt, (list, tuple)):
            raise InputError("new says how many records; leave out num_samples, stop and lists of prompts")
        records = new_records(model, known, new, prompt, length, check=check, **settings)
        return [record.text for record in records]
    if known or check is not None:
        raise InputError("known and check are of new records; give new=N, or leave them out")
    prompts = list(prompt) if isinstance(prompt, (list, tuple)) else [prompt]
    count = 1 if num_samples is None else num_samples
    texts = [_texts(model, each, length, count, stop, settings) for each in prompts]
    whole = {text: done.text for text, done in complete(model, texts)}
    found: list[Any] = [[whole[text] for text in of_one] for of_one in texts]
    if num_samples is None:
        found = [of_one[0] for of_one in found]
    return found if isinstance(prompt, (list, tuple)) else found[0]


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
    """Yield the text of `generate` piece by piece as it is made: never half a character, never a part of a stop string.

    Yields:
        pieces of the continuation; (sample, piece) if `num_samples` is given.
    Raises:
        InputError: as `generate`, before the first piece is asked for.
    """
    if num_samples is not None:
        return _stream(model, prompt, length, num_samples, stop, settings)
    return (piece for _, piece in _stream(model, prompt, length, 1, stop, settings))


def _stream(
    model: Model, prompt: str, length: int, count: int, stop: str | Sequence[str], settings: dict[str, Any]
) -> Iterator[tuple[int, str]]:
    texts, batch = _texts(model, prompt, length, count, stop, settings), Batch(model)
    batch.join(texts)
    return _pieces(batch)


def _pieces(batch: Batch) -> Iterator[tuple[int, str]]:
    while not batch.idle:
        for piece in batch.step():
            if piece.added:
                yield piece.text.number, piece.added


def _texts(
    model: Model, prompt: str, length: int, count: int, stop: str | Sequence[str], settings: dict[str, Any]
) -> list[Text]:
    sampling, ids = Sampling(**settings), model.reading.prompt(prompt)
    sampling.bias(model.reading.vocabulary)  # what is wrong is said before a text is begun
    length, count = whole_number("length", length), whole_number("num_samples", count, 1)
    if count > _SAMPLES:
        raise InputError(f"num_samples must be at most {_SAMPLES:,}, got {count}; write more with another seed")
    stops = stop_strings(model, stop)
    return [Text(ids, length, sampling, number, stops) for number in range(count)]


def stop_strings(model: Model, stop: str | Sequence[str]) -> tuple[str, ...]:
    """The strings that end a text of this model: those given, and of a model of records its line end.

    Raises:
        InputError: one that is no str, or is empty.
    """
    stops = (stop,) if isinstance(stop, str) or not isinstance(stop, Collection) else tuple(stop)
    if not all(isinstance(each, str) for each in stops):
        raise InputError(f"stop must be a str or several, got {stop!r}")
    if "" in stops:
        raise InputError("a stop string is empty; leave it out")
    return (*stops, "\n") if model.reading.records else stops
