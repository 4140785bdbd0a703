"""A client of an ASGI application in this process: no network, and a request can leave when it likes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Answered:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    parts: list[bytes] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    def json(self) -> Any:
        return json.loads(self.body, parse_constant=lambda name: 1 / 0)

    def events(self) -> list[Any]:
        """Of a stream; its last event is [DONE]."""
        lines = [line for line in self.body.decode().split("\n\n") if line and not line.startswith(":")]
        assert all(line.startswith("data: ") for line in lines)
        assert lines[-1] == "data: [DONE]"
        return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


class Client:
    def __init__(self, app: Any) -> None:
        self.app = app

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = b"",
        headers: dict[str, str] | None = None,
        leave: Callable[[Answered], bool] | asyncio.Event | float | None = None,
        cut: bool = False,
    ) -> Answered:
        """Send a request.

        Args:
            leave: after so many seconds, once this is set, or once it is true of what has come.
            cut: leave before the body is whole.
        """
        parts = (
            [body] if isinstance(body, bytes) else list(body) if isinstance(body, list) else [json.dumps(body).encode()]
        )
        messages = [
            {"type": "http.request", "body": part, "more_body": cut or i + 1 < len(parts)}
            for i, part in enumerate(parts)
        ]
        answered, gone = Answered(), asyncio.Event()

        async def receive() -> dict[str, Any]:
            if messages:
                await asyncio.sleep(0)
                return messages.pop(0)
            if isinstance(leave, float):
                await asyncio.sleep(leave)
            elif isinstance(leave, asyncio.Event):
                await leave.wait()
            elif not cut:
                await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answered.status = message["status"]
                answered.headers = {k.decode().lower(): v.decode() for k, v in message["headers"]}
            else:
                answered.parts.append(message.get("body", b""))
                if callable(leave) and leave(answered):
                    gone.set()

        raw = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
        path, _, query = path.partition("?")
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": method,
            "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
            "headers": raw, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
        }  # fmt: skip
        await self.app(scope, receive, send)
        return answered

    async def post(self, path: str, body: Any, **given: Any) -> Answered:
        return await self.ask("POST", path, body if not isinstance(body, list) else json.dumps(body).encode(), **given)

    async def get(self, path: str, **given: Any) -> Answered:
        return await self.ask("GET", path, **given)


@asynccontextmanager
async def client(app: Any) -> AsyncIterator[Client]:
    async with app.router.lifespan_context(app):
        yield Client(app)


def run(app: Any, work: Callable[[Client], Coroutine[Any, Any, Any]]) -> Any:
    """What `work` gives with a client of the running application."""

    async def whole() -> Any:
        async with client(app) as one:
            return await work(one)

    return asyncio.run(whole())
