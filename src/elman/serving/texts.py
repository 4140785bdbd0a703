"""Texts: endpoints that write nothing: symbols, scores, what comes next, and compression."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..errors import ElmanError
from .answers import dumps
from .beside import Beside
from .costs import line_text, next_symbols, scored
from .fields import Fields, is_ids, parsed, shown
from .guard import answer, body_of, lines_of, unpacked
from .limits import Limits
from .packing import packed_by, unpacked_by
from .protocol import prompt_ids
from .refusal import Refused
from .served import Models, Served

_BY = ("symbols", "words", "lines")


class Texts:
    """The endpoints."""

    def __init__(self, models: Models, limits: Limits, beside: Beside) -> None:
        self._models, self._limits, self._beside = models, limits, beside

    async def _fields(self, request: Request) -> tuple[Fields, Served]:
        fields = Fields(parsed(await body_of(request, self._limits)))
        return fields, self._models.find(fields.text("model"))

    # --- symbols ---

    async def tokenize(self, request: Request) -> Response:
        fields, served = await self._fields(request)
        text = fields.text("prompt", "content", "text", default="")
        if len(text) > self._limits.prompt:
            raise Refused(f"the text has {len(text):,} characters; expected at most {self._limits.prompt:,}", 413)
        ids = served.model.reading.prompt(text).tolist()
        return answer({"tokens": ids, "count": len(ids), "max_model_len": self._limits.prompt})

    async def detokenize(self, request: Request) -> Response:
        fields, served = await self._fields(request)
        ids = fields.get("tokens", "ids", default=[])
        if not is_ids(ids):
            raise Refused(f"tokens is {shown(ids)}; expected a list of ids", param="tokens")
        text = served.model.reading.vocabulary.decode(prompt_ids(ids, served, "tokens"))
        return answer({"prompt": text, "content": text})

    async def tokenizer_info(self, request: Request) -> Response:
        """A text of a stream begins after a line end, and has no end; a record ends with one."""
        served = self._models.find(request.query_params.get("model"))
        reading, end = served.model.reading, "\n"
        known = "\n" in served.ids
        return answer(
            {
                "tokenizer_class": "elman", "kind": reading.vocabulary.kind, "vocab_size": len(reading),
                "normalisation": reading.normalisation, "records": reading.records, "chat_template": None,
                "bos_token": end if known else None, "bos_token_id": served.ids.get(end),
                "eos_token": end if reading.records and known else None, "pad_token": None, "unk_token": None,
                "eos_token_id": served.ids.get(end) if reading.records else None, "add_bos_token": False,
            }
        )  # fmt: skip

    # --- what texts cost ---

    async def score(self, request: Request) -> Any:
        if lines_of(request):
            by = request.query_params.get("by", "lines")
            served = self._models.find(request.query_params.get("model"))
            return _Lines(self._score_lines(request, served, _by(by)))
        fields, served = await self._fields(request)
        given, by = fields.get("text", "input", "prompt"), _by(fields.text("by", default="symbols"))
        texts = given if isinstance(given, list) else [given]
        if not texts or not all(isinstance(text, str) for text in texts):
            raise Refused(f"text is {shown(given)}; expected a string or a list of strings", param="text")
        if sum(map(len, texts)) > self._limits.prompt:
            raise Refused(f"the texts have more than {self._limits.prompt:,} characters", 413, "text")
        data = await self._beside.while_there(request, scored, served, texts, by)
        data = [{"index": index, **each} for index, each in enumerate(data)]
        head = {"object": "list", "model": served.id, "system_fingerprint": served.fingerprint}
        return answer({**head, "data": data})

    async def _score_lines(self, request: Request, served: Served, by: str) -> AsyncIterator[bytes]:
        """An answer in JSON for each line of the body, as they come: a string, or an object with a text."""
        rest, number = b"", 0
        try:
            async for part in unpacked(request, self._limits):
                *whole, rest = (rest + part).split(b"\n")
                if len(rest) > self._limits.body:
                    raise Refused(f"a line has more than {self._limits.body:,} bytes", 413)
                texts = [line_text(line, number + i) for i, line in enumerate(whole, 1)]
                number += len(whole)
                yield await self._answers(served, [text for text in texts if text is not None], by)
            last = line_text(rest, number + 1)
            if last is not None:
                yield await self._answers(served, [last], by)
        except Refused as refused:
            yield dumps(refused.body) + b"\n"
        except ElmanError as error:
            yield dumps(Refused(str(error)).body) + b"\n"
        except ClientDisconnect:
            return

    async def _answers(self, served: Served, texts: list[str], by: str) -> bytes:
        found = await self._beside.in_turn(scored, served, texts, by) if texts else []  # a stream is not broken off
        return b"".join(dumps(each) + b"\n" for each in found)

    async def after(self, request: Request) -> Response:
        fields, served = await self._fields(request)
        count = fields.whole("n", "count", least=1, most=served.model.vocab_size, default=5)
        text = fields.text("text", "prompt", default="")
        if len(text) > self._limits.prompt:
            raise Refused(f"the text has {len(text):,} characters; expected at most {self._limits.prompt:,}", 413)
        found = await self._beside.while_there(request, next_symbols, served, text, count)
        head = {"object": "list", "model": served.id, "system_fingerprint": served.fingerprint}
        return answer({**head, "data": found})

    # --- compression ---

    async def compress(self, request: Request) -> Response:
        """An archive of a text in JSON, as base64; or, of a body that is no JSON, the archive itself."""
        if _is_json(request):
            fields, served = await self._fields(request)
            text = fields.text("text", default="")
            packed = await self._beside.while_there(request, packed_by, served, text.encode("utf-8", "surrogatepass"))
            data = base64.b64encode(packed).decode()
            return answer({"model": served.id, "data": data, "bytes": len(packed)})
        served = self._models.find(request.query_params.get("model"))
        packed = await self._beside.while_there(request, packed_by, served, await body_of(request, self._limits))
        return Response(packed, media_type="application/octet-stream")

    async def decompress(self, request: Request) -> Response:
        """Return the text that `compress` was given."""
        if _is_json(request):
            fields, served = await self._fields(request)
            try:
                packed = base64.b64decode(fields.text("data", default=""), validate=True)
            except ValueError:
                raise Refused("data is not base64", param="data") from None
            data = await self._beside.while_there(request, unpacked_by, served, packed, self._limits.body)
            return answer({"model": served.id, "text": data.decode("utf-8", "replace"), "bytes": len(data)})
        served = self._models.find(request.query_params.get("model"))
        data = await self._beside.while_there(
            request, unpacked_by, served, await body_of(request, self._limits), self._limits.body
        )
        return Response(data, media_type="application/octet-stream")


class _Lines:
    """A response whose lines are made while the request's body still comes: nothing else may read that."""

    def __init__(self, lines: AsyncIterator[bytes]) -> None:
        self._lines = lines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/x-ndjson")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for lines in self._lines:
            await send({"type": "http.response.body", "body": lines, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _is_json(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


def _by(by: str) -> str:
    if by not in _BY:
        raise Refused(f"by is {shown(by)}; expected {', '.join(_BY)}", param="by")
    return by
