"""A connection to the server: uvicorn's, with bounds for the time and the memory that one client can take."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any

HEAD_BYTES = 1 << 16
"""Most bytes of a request's head; and of what a body has besides its content between two parts of that."""
_OFFER = re.compile(rb"\r\nupgrade(?=:)", re.IGNORECASE)

try:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
except ModuleNotFoundError:  # h11 is uvicorn's own dependency, written in Python
    from uvicorn.protocols.http.h11_impl import H11Protocol

    Parsing: Any = H11Protocol
else:

    class _Bounded(HttpToolsProtocol):
        """httptools keeps a head, or a chunked body's trailers, however long they become. And it takes a body for
        another protocol's where a client offers to go on in one, as Java's and `curl --http2` do with HTTP/2: so it is
        not shown the offer, which a server may leave unanswered."""

        _unused = 0
        """Bytes since a head, a body or a part of one was last complete."""
        _in_body = False

        def data_received(self, data: bytes) -> None:
            self._unused += len(data)
            if not self._in_body and b"pgrade" in data:
                head, end, rest = data.partition(b"\r\n\r\n")
                data = _OFFER.sub(b"\r\nunanswered", head) + end + rest
            super().data_received(data)
            if self._unused > HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response("The head of the request is too long.")

        def on_headers_complete(self) -> None:
            self._unused, self._in_body = 0, True
            super().on_headers_complete()

        def on_body(self, body: bytes) -> None:
            self._unused = 0
            super().on_body(body)

        def on_message_complete(self) -> None:
            self._unused, self._in_body = 0, False
            super().on_message_complete()

    Parsing = _Bounded


_log = logging.getLogger("elman.serving")


class Protocol(Parsing):
    """A connection whose request must begin in time and whose answers must be taken: uvicorn itself waits for ever for
    the rest of a head, and keeps for ever what a client does not read."""

    head_seconds = 30.0
    taken_seconds = 60.0
    """Time in which the client must take some byte of what is ready for it."""
    _late: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        transport.set_write_buffer_limits(0)  # writing pauses whenever the system takes no more
        self._wait()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_watching()

    def _watch(self, size: int) -> None:
        self._stop_watching()
        self._stalled = self.loop.call_later(self.taken_seconds, self._give_up_writing, size)

    def _stop_watching(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _give_up_writing(self, before: int) -> None:
        size = self.transport.get_write_buffer_size()
        if size < before:
            self._watch(size)
        else:
            _log.info("a client took nothing for %g seconds; %d bytes are dropped", self.taken_seconds, size)
            self.transport.abort()  # closing would wait for the client

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._stop_watching()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._late is None:
            self._late = self.loop.call_later(self.head_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        self._late = None
        if (self.cycle is None or self.cycle.response_complete) and not self.transport.is_closing():
            self.transport.close()
