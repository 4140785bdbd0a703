"""Beside: what takes long and is no part of the batch, in at most two threads at a time, while `queue` others wait."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import anyio
from starlette.requests import ClientDisconnect, Request

from ..errors import InputError
from .limits import Limits
from .refusal import Refused

THREADS = 2


class Beside:
    """The threads, and those who wait for one."""

    def __init__(self, limits: Limits) -> None:
        self._limits, self._threads, self._working = limits, anyio.CapacityLimiter(THREADS), 0
        self._ending = threading.Event()

    def end(self) -> None:
        """End all work that looks at `going_on`."""
        self._ending.set()

    async def do(self, work: Callable[..., Any], *given: Any) -> Any:
        """Raises Refused where too many wait already."""
        if self._working >= THREADS + self._limits.queue:
            text = f"{self._working - THREADS} requests wait already; try again in a second"
            raise Refused(text, 429, headers={"Retry-After": "1"})
        self._working += 1
        try:
            return await self.in_turn(work, *given)
        finally:
            self._working -= 1

    async def in_turn(self, work: Callable[..., Any], *given: Any) -> Any:
        """Wait for a thread however many others do."""
        try:
            return await anyio.to_thread.run_sync(partial(work, *given), limiter=self._threads)
        except InputError as error:
            raise Refused(str(error)) from None

    async def while_there(self, request: Request, work: Callable[..., Any]) -> Any:
        """Do `work(going_on)` as long as the client waits for it: `going_on`, called often, ends it where it must."""
        left, until = threading.Event(), time.monotonic() + self._limits.seconds

        def going_on() -> None:
            if self._ending.is_set():
                raise Refused("the server is shutting down", 503, headers={"Retry-After": "5"})
            if left.is_set() or time.monotonic() > until:
                raise Refused(f"the search takes more than {self._limits.seconds:g} seconds; make it narrower")

        try:
            return await unless_left(request, self.do(work, going_on))
        finally:
            left.set()


async def unless_left(request: Request, work: Coroutine[Any, Any, Any]) -> Any:
    """The result of `work`. Raises ClientDisconnect where the client leaves meanwhile, and ends the work."""

    async def leave() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    working, gone = asyncio.ensure_future(work), asyncio.ensure_future(leave())
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        gone.cancel()
        working.cancel()
