"""Writing: `/v1/completions` and `/v1/chat/completions`, whole or streamed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ..generation import Piece, assembled
from . import protocol
from .answers import Answer, dumps, of_given
from .batcher import Batcher, Job
from .beside import Beside, unless_left
from .fields import parsed
from .guard import answer, body_of, log
from .limits import Limits
from .protocol import Asked
from .refusal import Refused
from .served import Models


class Writing:
    """The two endpoints.

    Args:
        strict: refuse fields that nobody knows, instead of naming each once in the log.
        log_prompts: write the bodies of requests to the log.
    """

    def __init__(
        self, models: Models, batcher: Batcher, beside: Beside, limits: Limits, strict: bool, log_prompts: bool
    ) -> None:
        self._models, self._batcher, self._beside, self._limits = models, batcher, beside, limits
        self._strict, self._log_prompts, self._named = strict, log_prompts, set[str]()

    async def completions(self, request: Request) -> Response:
        return await self._write(request, protocol.completions)

    async def chat(self, request: Request) -> Response:
        return await self._write(request, protocol.chat)

    async def _write(self, request: Request, read: Callable[..., Asked]) -> Response:
        data = await body_of(request, self._limits)
        if self._log_prompts:
            log.info("%s", data.decode("utf-8", "backslashreplace"))
        asked = read(parsed(data), self._models.find, self._limits)
        self._note(asked.unknown)
        if asked.search is not None:
            began = time.monotonic()
            found = await self._beside.while_there(request, asked.search.found)
            return answer(Answer(asked).searched(found, {"total_ms": round((time.monotonic() - began) * 1000, 3)}))
        job = Job(asked.served, asked.groups, asked.stream)
        self._batcher.submit(job)
        made = Answer(asked)
        if asked.stream:
            headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
            return StreamingResponse(self._events(made, job), media_type="text/event-stream", headers=headers)
        return answer(made.whole(await self._whole(request, job), job.timings()))

    def _note(self, unknown: tuple[str, ...]) -> None:
        if unknown and self._strict:
            raise Refused(f"unknown field {unknown[0][:100]!r}", param=unknown[0][:100])
        for name in unknown:
            name = name[:100]  # kept for as long as the server runs
            if len(self._named) < 1000 and name not in self._named:
                self._named.add(name)
                log.warning("the field %r is unknown and ignored", name)

    async def _whole(self, request: Request, job: Job) -> list[list[Any]]:
        """The completions of each prompt. A client that leaves meanwhile frees its rows."""
        try:
            pieces = await unless_left(request, job.whole)
        finally:
            self._batcher.leave(job)
        of_text: dict[Any, list[Piece]] = {}
        for piece in pieces:
            of_text.setdefault(piece.text, []).append(piece)
        return [[assembled(text, of_text.get(text, [])) for text in texts] for texts in job.groups]

    async def _events(self, made: Answer, job: Job) -> AsyncIterator[bytes]:
        """Server-sent events: a chunk for what a step added, and [DONE]."""
        try:
            stream = _Chunks(made)
            while True:
                try:
                    async with asyncio.timeout(self._limits.alive_seconds):
                        found = await job.pieces.get()
                except TimeoutError:
                    yield b": the server is there\n\n"
                    continue
                if found is None:
                    break
                if isinstance(found, Refused):
                    yield _event(found.body)
                    break
                chunks = [made.object([choice]) for piece in found for choice in stream.of(piece)]
                yield b"".join(map(_event, chunks))
            if made.asked.include_usage and found is None:
                yield _event(made.object([], usage=made.usage(), timings=job.timings()))
            yield b"data: [DONE]\n\n"
        finally:
            self._batcher.leave(job)


class _Chunks:
    """The choices of a stream's chunks, each a part of one text."""

    def __init__(self, made: Answer) -> None:
        self._made = made
        texts = [text for texts in made.asked.groups for text in texts]
        self._index = {text: index for index, text in enumerate(texts)}
        groups = zip(made.asked.prompts, made.asked.groups, strict=True)
        self._given = {text: prompt for prompt, texts in groups for text in texts}
        self._before = {text: list[np.ndarray]() for text in texts}
        self._written = dict.fromkeys(texts, 0)

    def of(self, piece: Piece) -> list[dict[str, Any]]:
        asked, text = self._made.asked, piece.text
        added, reports, first = piece.added, [piece.likely], self._written[text] == 0
        before, given = self._before[text], self._given[text]
        prompt = asked.echo and first
        if prompt:
            added = asked.served.model.reading.vocabulary.decode(np.array(given)) + added
            reports.insert(0, of_given(given, text.prompt_likely))
        found = None if asked.logprobs is None else [report for report in reports if report is not None]
        if not (added or piece.last or (found and len(piece.ids))):
            return []
        ids = np.concatenate(before) if before and found is not None else None
        choice = self._made.piece(
            self._index[text], added, found, self._written[text], text.finish_reason if piece.last else None,
            text.stop if piece.last else None, bool(prompt and len(given)), ids,
        )  # fmt: skip
        if asked.token_ids:
            choice["token_ids"] = piece.ids.tolist()
            if first:
                choice["prompt_token_ids"] = given.tolist()
        if asked.logprobs is not None:
            before += [np.array(given), piece.ids] if prompt else [piece.ids]
        self._written[text] += 1
        return [choice]


def _event(value: Any) -> bytes:
    return b"data: " + dumps(value) + b"\n\n"
