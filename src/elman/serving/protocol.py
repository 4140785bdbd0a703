"""Protocol: a request of `/v1/completions` or `/v1/chat/completions`, checked field by field, as the texts to write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..generation import Text
from .drawing import sampling_of, stops_of
from .fields import Fields, is_ids, shown
from .limits import Limits
from .refusal import Refused
from .searching import Search, search_of
from .served import Served

CHAT_TOKENS = 256
"""Symbols that a chat request gets where it does not say how many."""


@dataclass(frozen=True, eq=False)
class Asked:
    """Contents of a request."""

    served: Served
    prompts: list[np.ndarray]
    """int64 (T,) each, as they were given. Ids may begin with `Reading.start`, as other models' ids begin with a
    token for the beginning; texts, which all begin after it, have their prompts without it."""
    groups: list[list[Text]]
    """The `best_of` texts of each prompt."""
    n: int
    seed: int
    stream: bool
    include_usage: bool
    echo: bool
    logprobs: int | None
    prompt_logprobs: int | None
    token_ids: bool
    """Whether ids are returned."""
    names_as_ids: bool
    """Whether log-probabilities name symbols by their ids."""
    chat: bool = False
    unknown: tuple[str, ...] = ()
    search: Search | None = None
    """The search that takes the place of drawing texts."""


def completions(body: Any, find: Callable[[str | None], Served], limits: Limits) -> Asked:
    """The request of a body of `/v1/completions`. Raises Refused where a field does not fit."""
    fields = Fields(body)
    served = find(fields.text("model"))
    prompts = _prompts(fields.get("prompt"), served)
    if fields.get("suffix") not in (None, ""):
        raise Refused("suffix is not supported: a model of this kind reads from left to right only", param="suffix")
    size = served.model.vocab_size
    if isinstance(fields.get("logprobs"), bool):  # as in a chat
        logprobs = 1 if fields.flag("logprobs") else None
    else:
        logprobs = fields.whole("logprobs", least=0, most=size)
    length = fields.whole("max_tokens", "length", least=0, most=limits.max_tokens, default=min(16, limits.max_tokens))
    return _asked(fields, served, prompts, length, logprobs, fields.flag("echo"), limits, chat=False)


def chat(body: Any, find: Callable[[str | None], Served], limits: Limits) -> Asked:
    """Parse a request to `/v1/chat/completions`: the prompt is the contents of the messages, one a line. A model of
    this kind knows nothing of roles."""
    fields = Fields(body)
    served = find(fields.text("model"))
    messages = fields.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(m, dict) for m in messages):
        raise Refused(f"messages is {shown(messages)}; expected a list of objects with a content", param="messages")
    prompt = "\n".join(_content(message.get("content")) for message in messages)
    logprobs = None
    top = fields.whole("top_logprobs", least=0, most=served.model.vocab_size, default=0)
    if fields.flag("logprobs"):
        logprobs = top
    most = limits.max_tokens
    length = fields.whole(
        "max_completion_tokens", "max_tokens", "length", least=0, most=most, default=min(CHAT_TOKENS, most)
    )
    return _asked(fields, served, _prompts(prompt, served), length, logprobs, False, limits, chat=True)


def _content(content: Any) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(p, dict) and isinstance(p.get("text"), str) for p in content):
        return "".join(part["text"] for part in content)
    raise Refused("the content of a message is neither a string nor a list of texts", param="messages")


def _prompts(given: Any, served: Served) -> list[np.ndarray]:
    if isinstance(given, list) and given and not is_ids(given):
        many = given
    elif given == []:
        raise Refused("prompt is an empty list; give a string, or leave it out to begin a text", param="prompt")
    else:
        many = ["" if given is None else given]
    return [
        _marked(prompt_ids(one, served), served) if isinstance(one, list) else prompt_ids(one, served) for one in many
    ]


class Marked(np.ndarray):
    """Ids of which the first is the beginning itself."""


def unmarked(ids: np.ndarray) -> np.ndarray:
    """The prompt of a text, which is read after its beginning in either case."""
    return np.array(ids[1:] if isinstance(ids, Marked) else ids)


def _marked(ids: np.ndarray, served: Served) -> np.ndarray:
    return ids.view(Marked) if len(ids) and ids[0] == served.model.reading.start else ids


def prompt_ids(given: Any, served: Served, name: str = "prompt") -> np.ndarray:
    """int64 (T,): the ids of a text, or ids themselves."""
    if isinstance(given, str):
        return served.model.reading.prompt(given)
    if not is_ids(given):
        raise Refused(f"{name} is {shown(given)}; expected a string, a list of ids, or a list of these", param=name)
    for place, id in enumerate(given):
        if not 0 <= id < served.model.vocab_size:
            most = served.model.vocab_size - 1
            raise Refused(f"{name} has the id {shown(id)} at {place}; the model has 0..{most}", param=name)
    return np.array(given, dtype=np.int64)


def _asked(
    fields: Fields,
    served: Served,
    prompts: list[np.ndarray],
    length: int,
    logprobs: int | None,
    echo: bool,
    limits: Limits,
    chat: bool,
) -> Asked:
    sampling, seed = sampling_of(fields, served)
    search = search_of(fields, served, list(map(unmarked, prompts)), length, sampling, limits)
    stream = fields.flag("stream")
    options = fields.object("stream_options")
    n = fields.whole("n", "num_samples", least=1, most=limits.texts, default=1)
    best_of = fields.whole("best_of", least=1, most=limits.texts, default=n)
    if best_of < n:
        raise Refused(f"best_of is {best_of}; expected at least n, which is {n}", param="best_of")
    if stream and best_of > n:
        raise Refused("best_of needs whole texts and cannot be streamed; leave out stream or best_of", param="best_of")
    prompt_logprobs = fields.get("prompt_logprobs")
    if prompt_logprobs is not None:
        prompt_logprobs = fields.whole("prompt_logprobs", least=0, most=served.model.vocab_size)
    prompt_top = prompt_logprobs
    if echo and logprobs is not None:
        prompt_top = max(logprobs, prompt_top or 0)
    _check_size(prompts, best_of, length, logprobs, prompt_top, limits)
    stops = stops_of(fields, served, limits)
    top = logprobs if logprobs is not None else 0 if best_of > n else None
    groups = [
        [
            Text(
                unmarked(prompt), length, sampling, number, stops,
                None if top is None else max(1, top), None if prompt_top is None else max(1, prompt_top), not stream,
            )
            for number in range(best_of)
        ]
        for prompt in prompts
    ]  # fmt: skip
    usage = options.get("include_usage", False)
    if not isinstance(usage, bool):
        raise Refused("stream_options.include_usage is neither true nor false", param="stream_options")
    token_ids = fields.flag("return_token_ids")
    as_ids = fields.flag("return_tokens_as_token_ids")
    fields.get("user")  # names who asks; nothing depends on it
    return Asked(
        served, prompts, groups, n, seed, stream, usage, echo, logprobs, prompt_logprobs, token_ids, as_ids, chat,
        tuple(fields.unknown), search,
    )  # fmt: skip


def _check_size(
    prompts: list[np.ndarray], best_of: int, length: int, top: int | None, prompt_top: int | None, limits: Limits
) -> None:
    """Raises Refused for a request that asks for more than one may.

    Args:
        top, prompt_top: how many of the likeliest symbols are reported at each place; None: no log-probabilities.
    """
    texts, symbols = len(prompts) * best_of, sum(map(len, prompts))
    if texts > limits.texts:
        raise Refused(
            f"{len(prompts)} prompts times {best_of}; one request writes at most {limits.texts} texts", param="n"
        )
    if symbols > limits.prompt:
        raise Refused(f"the prompt has {symbols:,} symbols; expected at most {limits.prompt:,}", 413, "prompt")
    each, each_prompt = (0 if count is None else 2 + count for count in (top, prompt_top))
    numbers = symbols * each_prompt + texts * length * each
    if numbers > limits.numbers:
        raise Refused(
            f"the answer has {numbers:,} log-probabilities; expected at most {limits.numbers:,}", param="logprobs"
        )
