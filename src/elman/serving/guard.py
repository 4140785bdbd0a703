"""Guard: what every request passes: the key, its time, the log; and the body, read within its limits."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
import zlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .answers import dumps
from .limits import Limits
from .metrics import Metrics
from .origins import check_page
from .refusal import Refused

log = logging.getLogger("elman.serving")
_PUBLIC = ("/", "/health", "/openapi.json")
"""Paths that need no key; with and without /v1."""
_UNPACKED = 1 << 16  # bytes that are unpacked at once


class Guard:
    """The application behind it sees requests with a key only, where there are keys.

    Args:
        keys: any of these opens; none: no key is asked for.
        origins: other origins whose pages may ask; None: nobody looks at the origin, nor at the host.
    """

    def __init__(self, app: ASGIApp, keys: Sequence[str], metrics: Metrics, origins: Sequence[str] | None) -> None:
        self._app, self._keys, self._metrics, self._origins = app, [key.encode() for key in keys], metrics, origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, gone = time.monotonic(), 0, False

        async def noting(message: Message) -> None:
            nonlocal status, gone
            if message["type"] == "http.response.start":
                status = message["status"]
            try:
                await send(message)
            except (
                Exception
            ):  # the connection broke, or what it carries is no HTTP: the server under us has dealt with it
                gone = True
                raise

        try:
            answer = self._before(scope)
            await (answer or self._app)(scope, receive, noting)
        except Exception as error:
            if gone:
                return
            # A fault of ours. What it was goes to the log, without what the request said.
            log.error("%s %s: %s", scope["method"], scope["path"], type(error).__name__, exc_info=_debug())
            if not status:
                await refusal(Refused("internal error; the server's log says where", 500))(scope, receive, noting)
        finally:
            milliseconds = (time.monotonic() - began) * 1000
            self._metrics.add("http_requests_total", status=status)
            path = scope["path"][:200].encode("ascii", "backslashreplace").decode()
            log.info("%s %s %s %.1f ms", scope["method"], path, status or "left", milliseconds)

    def _before(self, scope: Scope) -> Response | None:
        """An answer that needs no application."""
        if scope["method"] == "OPTIONS":  # where no other origin may ask; else the answer came before this
            return Response(status_code=204, headers={"Allow": "GET, POST, OPTIONS"})
        if self._origins is not None:
            try:
                check_page(scope["method"], Headers(scope=scope), self._origins)
            except Refused as refused:
                return refusal(refused)
        path = scope["path"].removeprefix("/v1") or "/"
        if not self._keys or path in _PUBLIC:
            return None
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        kind, _, key = given.partition(b" ")
        right = [hmac.compare_digest(key.strip(), own) for own in self._keys]
        if kind.lower() == b"bearer" and any(right):
            return None
        text = "the key is wrong" if given else "a key is needed"
        refused = Refused(
            f"{text}: send the header Authorization: Bearer KEY", 401, headers={"WWW-Authenticate": "Bearer"}
        )
        return refusal(refused)


def _debug() -> bool:
    return log.isEnabledFor(logging.DEBUG)


def refusal(refused: Refused) -> Response:
    return Response(dumps(refused.body), refused.status, refused.headers, "application/json")


def answer(value: Any) -> Response:
    return Response(dumps(value), media_type="application/json")


async def body_of(request: Request, limits: Limits) -> bytes:
    """The body, unpacked if it is compressed. Raises Refused where it is too large or comes too slowly."""
    parts, size = [], 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for part in unpacked(request, limits):
                size += len(part)
                if size > limits.body:
                    raise Refused(f"the body has more than {limits.body:,} bytes", 413)
                parts.append(part)
    except TimeoutError:
        raise Refused(f"the body did not arrive within {limits.body_seconds:g} seconds", 408) from None
    return b"".join(parts)


async def unpacked(request: Request, limits: Limits) -> AsyncIterator[bytes]:
    """The parts of a body, unpacked a little at a time."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding == "identity":
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length[:20]) > limits.body and not lines_of(request):
            raise Refused(f"the body has {length[:20]} bytes; expected at most {limits.body:,}", 413)
        async for part in request.stream():
            yield part
        return
    if encoding not in ("gzip", "deflate"):
        raise Refused(f"the body's encoding is {encoding[:40]!r}; expected gzip, deflate or none", 415)
    unpack = zlib.decompressobj(47)  # either header
    try:
        async for part in request.stream():
            while part:
                yield unpack.decompress(part, _UNPACKED)
                part = unpack.unconsumed_tail
    except zlib.error:
        raise Refused(f"the body is not {encoding}") from None
    if not unpack.eof:
        raise Refused(f"the body is not whole {encoding}")


def lines_of(request: Request) -> bool:
    """Whether the body is a stream of JSON lines."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in ("application/x-ndjson", "application/jsonl", "application/jsonlines", "application/x-jsonlines")
