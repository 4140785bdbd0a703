"""Beside: what takes long and is no part of the batch, in at most two threads at a time, while `queue` others wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.requests import ClientDisconnect, Request

from ..errors import InputError
from .limits import Limits
from .refusal import Refused

THREADS = 2


class Beside:
    """The threads, and those who wait for one."""

    def __init__(self, limits: Limits) -> None:
        self._limits, self._working = limits, 0
        self._threads = ThreadPoolExecutor(THREADS, "elman-beside")
        self._waiting = set[asyncio.Future[None]]()
        self._at_work = set[object]()

    @property
    def running(self) -> int:
        """Threads at work, also for those who have left."""
        return len(self._at_work)

    def end(self) -> None:
        """Nobody waits for the work that is being done any more; what looks at `going_on` ends."""
        for over in list(self._waiting):
            over.get_loop().call_soon_threadsafe(lambda over=over: over.done() or over.set_result(None))

    async def _do(self, check: Callable[[], None], work: Callable[..., Any], *given: Any) -> Any:
        if self._working >= THREADS + self._limits.queue:
            text = f"{self._working - THREADS} requests wait already; try again in a second"
            raise Refused(text, 429, headers={"Retry-After": "1"})
        self._working += 1
        try:
            return await self._in_turn(check, work, *given)
        finally:
            self._working -= 1

    async def in_turn(self, work: Callable[..., Any], *given: Any) -> Any:
        """Do `work(*given, going_on)`, however many others wait for a thread, until the server ends."""
        return await self._in_turn(lambda: None, work, *given)

    async def _in_turn(self, check: Callable[[], None], work: Callable[..., Any], *given: Any) -> Any:
        over = asyncio.get_running_loop().create_future()
        self._waiting.add(over)

        def going_on() -> None:
            if over.done():
                raise _over()
            check()

        working = asyncio.get_running_loop().run_in_executor(self._threads, self._run, work, (*given, going_on))
        try:
            await asyncio.wait({working, over}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise _over()
            return working.result()
        except InputError as error:
            raise Refused(str(error)) from None
        finally:
            self._waiting.discard(over)
            over.cancel()  # ends a thread at work where it looks, and until then it keeps its place
            working.cancel()  # takes work that waits out of the queue

    def _run(self, work: Callable[..., Any], given: tuple[Any, ...]) -> Any:
        this = object()
        self._at_work.add(this)
        try:
            return work(*given)
        finally:
            self._at_work.discard(this)

    async def while_there(self, request: Request, work: Callable[..., Any], *given: Any) -> Any:
        """Do `work(*given, going_on)` as long as the client waits for it: `going_on`, called often, ends it where it
        must. Raises Refused where too many wait already."""
        until = time.monotonic() + self._limits.seconds

        def check() -> None:
            if time.monotonic() > until:
                raise Refused(f"this takes more than {self._limits.seconds:g} seconds; ask for less at once")

        return await unless_left(request, asyncio.ensure_future(self._do(check, work, *given)))


def _over() -> Refused:
    return Refused("the server is shutting down", 503, headers={"Retry-After": "5"})


async def unless_left(request: Request, working: asyncio.Future[Any]) -> Any:
    """The result of `working`. Raises ClientDisconnect where the client leaves meanwhile, and ends the work."""

    async def leave() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    gone = asyncio.ensure_future(leave())
    gone.add_done_callback(lambda _: working.cancel())
    try:
        return await working
    except asyncio.CancelledError:
        if gone.done() and not gone.cancelled():
            raise ClientDisconnect from None
        raise
    finally:
        gone.cancel()
        working.cancel()
