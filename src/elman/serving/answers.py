"""Answers: what was written, as the objects of OpenAI's API."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np

from ..generation import Completion, Likely
from ..generation.completion import joined
from .protocol import Asked, Marked
from .searching import Found
from .served import Served

FLOOR = -9999.0
"""The lowest log-probability of an answer: JSON has no infinity."""


_numbers = count(secrets.randbits(127))  # no two servers count alike; a draw for each id would be a call of the system
_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def dumps(value: Any) -> bytes:
    """JSON, compact; half a surrogate pair as its escape."""
    return _encoder.encode(value).encode("utf-8", "backslashreplace")


class Answer:
    """Common fields of the objects of one answer."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.kind = ("chat.completion" if asked.chat else "text_completion") + (
            ".chunk" if asked.chat and asked.stream else ""
        )
        prefix = "chatcmpl" if asked.chat else "cmpl"
        self.id, self.created = f"{prefix}-{next(_numbers):032x}", int(time.time())

    def object(self, choices: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        served = self.asked.served
        return {
            "id": self.id, "object": self.kind, "created": self.created, "model": served.id,
            "system_fingerprint": served.fingerprint, "seed": self.asked.seed, "choices": choices, **more,
        }  # fmt: skip

    def usage(self) -> dict[str, int]:
        return self._usage(sum(text.written for texts in self.asked.groups for text in texts))

    def _usage(self, written: int) -> dict[str, int]:
        prompt = sum(map(len, self.asked.prompts))
        return {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}

    def whole(self, done: Sequence[Sequence[Completion]], timings: dict[str, float]) -> dict[str, Any]:
        """The answer to a request that is not streamed; `done` are the texts of each prompt."""
        choices = []
        for prompt, completions in zip(self.asked.prompts, done, strict=True):
            for completion in self._best(completions):
                choices.append(self._choice(len(choices), prompt, completion))
        return self.object(choices, usage=self.usage(), timings=timings)

    def searched(self, found: Sequence[Sequence[Found]], timings: dict[str, float]) -> dict[str, Any]:
        """The answer to a search; `found` are the texts of each prompt."""
        prompts = [self.asked.served.model.reading.vocabulary.decode(np.array(ids)) for ids in self.asked.prompts]
        choices = [
            self.piece(0, (prompt if self.asked.echo else "") + one.text, None, 0, one.finish_reason, None)
            | {"bits": one.bits}
            for prompt, of_one in zip(prompts, found, strict=True)
            for one in of_one
        ]
        written = sum(one.symbols for of_one in found for one in of_one)
        choices = [choice | {"index": index} for index, choice in enumerate(choices)]
        return self.object(choices, usage=self._usage(written), timings=timings)

    def _best(self, completions: Sequence[Completion]) -> Sequence[Completion]:
        if len(completions) == self.asked.n:
            return completions

        def mean(completion: Completion) -> float:
            found = completion.likely
            return float(found.logprobs.mean()) if found is not None and len(found.ids) else 0.0

        return sorted(completions, key=mean, reverse=True)[: self.asked.n]  # ties: as they were drawn

    def _choice(self, index: int, prompt: np.ndarray, done: Completion) -> dict[str, Any]:
        asked, served = self.asked, self.asked.served
        text, reports, of_prompt = done.text, [], of_given(prompt, done.prompt_likely)
        if asked.echo:
            text = served.model.reading.vocabulary.decode(np.array(prompt)) + text
            reports = [of_prompt]
        report = None if asked.logprobs is None else [r for r in (*reports, done.likely) if r is not None]
        choice = self.piece(index, text, report, 0, done.finish_reason, done.stop, asked.echo and len(prompt) > 0)
        if asked.prompt_logprobs is not None and of_prompt is not None:
            choice["prompt_logprobs"] = _of_prompt(served, of_prompt, asked.prompt_logprobs)
        if asked.token_ids:
            choice["token_ids"], choice["prompt_token_ids"] = done.ids.tolist(), prompt.tolist()
        return choice

    def piece(
        self,
        index: int,
        text: str,
        reports: Sequence[Likely] | None,
        written: int,
        reason: str | None,
        stop: str | None,
        first_is_null: bool = False,
        before: np.ndarray | None = None,
    ) -> dict[str, Any]:
        """A choice, or a part of one.

        Args:
            reports: of the ids that are new; None: nobody asked.
            before: ids of the text before them.
        """
        asked = self.asked
        choice: dict[str, Any] = {"index": index}
        if asked.chat:
            role = {} if asked.stream and written else {"role": "assistant"}
            choice["delta" if asked.stream else "message"] = role | {"content": text}
        else:
            choice["text"] = text
        count = asked.logprobs
        logprobs = None
        if reports is not None and count is not None:
            if asked.chat:
                logprobs = {"content": self._of_chat(reports, count), "refusal": None}
            else:
                logprobs = self._of_completion(reports, count, first_is_null, before)
        return choice | {"logprobs": logprobs, "finish_reason": reason, "stop_reason": stop}

    def _of_completion(
        self, reports: Sequence[Likely], count: int, first_is_null: bool, before: np.ndarray | None
    ) -> dict[str, Any]:
        names = _IdNames() if self.asked.names_as_ids else self.asked.served.names
        ids = [id for report in reports for id in report.ids.tolist()]
        tops = [top for report in reports for top in _tops(names, report, count)]
        values: list[float | None] = [v for report in reports for v in _floored(report.logprobs)]
        if first_is_null:
            values[0] = None
        begun = 0 if before is None else len(before)
        everything = np.array(ids, dtype=np.int64) if before is None else np.append(before, ids).astype(np.int64)
        return {
            "tokens": [names[id] for id in ids], "token_logprobs": values, "top_logprobs": tops,
            "text_offset": self.asked.served.offsets(everything)[begun:],
        }  # fmt: skip

    def _of_chat(self, reports: Sequence[Likely], count: int) -> list[dict[str, Any]]:
        served, entries = self.asked.served, []

        def entry(id: int, value: float) -> dict[str, Any]:
            data = served.data(id)
            return {"token": served.names[id], "logprob": value, "bytes": None if data is None else list(data)}

        for report in reports:
            own, best = _floored(report.logprobs), np.maximum(report.top_logprobs[:, :count], FLOOR).tolist()
            for id, value, top, values in zip(
                report.ids.tolist(), own, report.top[:, :count].tolist(), best, strict=True
            ):
                alternatives = [entry(i, v) for i, v in zip(top, values, strict=True)]
                entries.append(entry(id, value) | {"top_logprobs": alternatives})
        return entries


def of_given(prompt: np.ndarray, report: Likely | None) -> Likely | None:
    """The report of a prompt as it was given: a beginning among its ids is certain."""
    if report is None or not isinstance(prompt, Marked):
        return report
    ids, none = np.array(prompt[:1]), np.zeros(1)
    top = np.repeat(ids[:, None], report.top.shape[1], axis=1)
    return joined([Likely(ids, none, np.ones(1, np.int64), top, np.zeros(top.shape)), report])


class _IdNames:
    def __getitem__(self, id: int) -> str:
        return f"token_id:{id}"


def _floored(values: np.ndarray) -> list[float]:
    return np.maximum(np.nan_to_num(values, nan=FLOOR), FLOOR).tolist()


def _tops(names: Any, report: Likely, count: int) -> list[dict[str, float]]:
    """The likeliest ids at each one, at least one of them, and the id itself."""
    kept = max(1, count)
    own, best = _floored(report.logprobs), np.maximum(report.top_logprobs[:, :kept], FLOOR).tolist()
    tops = []
    for id, value, top, values in zip(report.ids.tolist(), own, report.top[:, :kept].tolist(), best, strict=True):
        tops.append({names[i]: v for i, v in zip(top, values, strict=True)} | {names[id]: value})
    return tops


def _of_prompt(served: Served, report: Likely, count: int) -> list[dict[str, Any]]:
    """vLLM's form: an object for each id of the prompt, the first with its number too."""
    names, found = served.names, []
    ranks = report.ranks.tolist()
    for place, (id, own) in enumerate(zip(report.ids.tolist(), _floored(report.logprobs), strict=True)):
        entry = {
            str(i): {"logprob": max(FLOOR, v), "rank": rank, "decoded_token": names[i]}
            for rank, (i, v) in enumerate(
                zip(report.top[place, :count].tolist(), report.top_logprobs[place, :count].tolist(), strict=True), 1
            )
        }
        entry.setdefault(str(id), {"logprob": own, "rank": ranks[place], "decoded_token": names[id]})
        found.append(entry)
    return found
