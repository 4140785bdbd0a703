"""Connection: uvicorn's protocol of HTTP, with limits on how long a client may take, and fewer calls of the system."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

_log = logging.getLogger("elman.serving")


class _Joining:
    """A transport that sends two writes in one piece where both come in one turn of the loop: uvicorn writes an
    answer's head and its body one after the other, and each would be a call of the system."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop, self._held = transport, loop, b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not data:
            return
        if self._held:
            self._send(data)
        else:
            self._held = data
            self._loop.call_soon(self._send)

    def _send(self, more: bytes = b"") -> None:
        held, self._held = self._held + more, b""
        if held:
            self._transport.write(held)

    def close(self) -> None:
        self._send()
        self._transport.close()


class Protocol(H11Protocol):
    """A connection whose request must begin in time and whose answers must be taken: uvicorn itself waits for ever for
    the rest of a head, and keeps for ever what a client does not read."""

    head_seconds = 30.0
    taken_seconds = 60.0
    """Time in which the client must take some byte of what is ready for it."""
    _late: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        joining: Any = _Joining(transport, self.loop)
        super().connection_made(joining)
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
