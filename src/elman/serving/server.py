"""The application: which path leads where, under any ASGI server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ..errors import ElmanError
from ..model import Model
from ..pages import playground_page
from .batcher import Batcher
from .beside import Beside
from .guard import Guard, answer, refusal
from .limits import Limits
from .metrics import Metrics
from .refusal import Refused
from .schema import openapi_schema
from .served import Models
from .texts import Texts
from .writing import Writing


class Health:
    """State for `/health`: loading, ok or ending."""

    def __init__(self) -> None:
        self.state = "loading"

    async def __call__(self, request: Request) -> Response:
        if self.state == "ok":
            return answer({"status": "ok"})
        return Response(f'{{"status":"{self.state}"}}', 503, {"Retry-After": "1"}, "application/json")


class About:
    """Answers of the server about itself."""

    def __init__(self, models: Models, batcher: Batcher, metrics: Metrics, limits: Limits) -> None:
        self._models, self._batcher, self._metrics, self._limits = models, batcher, metrics, limits

    async def list_models(self, request: Request) -> Response:
        return answer({"object": "list", "data": [each.about() for each in self._models]})

    async def one_model(self, request: Request) -> Response:
        return answer(self._models.find(request.path_params["id"]).about())

    async def show_metrics(self, request: Request) -> Response:
        self._metrics.set("num_requests_running", self._batcher.running)
        self._metrics.set("num_requests_waiting", self._batcher.waiting)
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def openapi(self, request: Request) -> Response:
        return answer(openapi_schema(self._limits))

    async def page(self, request: Request) -> Response:
        markup, policy = playground_page()
        headers = {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"}
        return Response(markup, media_type="text/html", headers=headers)


def create_app(
    models: Mapping[str, Model | str | Path],
    *,
    keys: Sequence[str] = (),
    cors: Sequence[str] = (),
    limits: Limits | None = None,
    strict: bool = False,
    local: bool = False,
    log_prompts: bool = False,
) -> Starlette:
    """An ASGI application that serves models.

    Args:
        models: a model, or the place of one (a file, a run's folder, a model's name), under each name.
        keys: any of these opens; none: no key is asked for.
        cors: origins whose pages may ask; none: no header says that any may.
        strict: refuse fields that are unknown.
        local: only this machine reaches the server. Requests for a domain, and those that a page of another origin
            sends, are refused, except origins in `cors`.
        log_prompts: write requests' bodies to the log.
    Returns:
        the application. `app.state.reload()` loads models that came from a file anew; `app.state.end(reason)` ends
        every text that is being written.
    Raises:
        ElmanError: a model that cannot be loaded.
    """
    limits, metrics, health = limits or Limits(), Metrics(), Health()
    served, batcher = Models(models), Batcher(limits, metrics)
    beside = Beside(limits)
    writing, texts = Writing(served, batcher, beside, limits, strict, log_prompts), Texts(served, limits, beside)

    about = About(served, batcher, metrics, limits)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        batcher.start()
        health.state = "ok"
        yield
        health.state = "ending"
        end("abort")
        batcher.stop()

    def end(reason: str) -> None:
        batcher.end(reason)
        beside.end()

    guards = [Middleware(Guard, keys=list(keys), metrics=metrics, origins=list(cors) if local else None)]
    if cors:
        guards.insert(
            0,
            Middleware(
                CORSMiddleware, allow_origins=list(cors), allow_methods=["GET", "POST"], allow_headers=["*"],
                allow_private_network=True,
            ),
        )  # fmt: skip
    app = Starlette(
        routes=[Route("/", about.page), *_routes(writing, texts, about, health)],
        middleware=guards,
        lifespan=lifespan,
        exception_handlers={Refused: _refused, HTTPException: _http, ElmanError: _ours, ClientDisconnect: _left},
    )
    app.state.reload, app.state.end, app.state.health = served.reload, end, health
    app.state.beside = beside
    app.state.models, app.state.batcher = served, batcher
    return app


def _routes(writing: Writing, texts: Texts, about: About, health: Health) -> list[Route]:
    """Each path with and without /v1, for clients differ in what they add."""
    routes: dict[str, tuple[str, Callable[[Request], Any]]] = {
        "/completions": ("POST", writing.completions), "/chat/completions": ("POST", writing.chat),
        "/models": ("GET", about.list_models), "/models/{id:path}": ("GET", about.one_model),
        "/health": ("GET", health), "/metrics": ("GET", about.show_metrics), "/openapi.json": ("GET", about.openapi),
        "/tokenize": ("POST", texts.tokenize), "/detokenize": ("POST", texts.detokenize),
        "/tokenizer_info": ("GET", texts.tokenizer_info), "/score": ("POST", texts.score),
        "/after": ("POST", texts.after), "/compress": ("POST", texts.compress),
        "/decompress": ("POST", texts.decompress),
    }  # fmt: skip
    return [
        Route(prefix + path, _Endpoint(endpoint), methods=[method])
        for path, (method, endpoint) in routes.items()
        for prefix in ("/v1", "")
    ]


class _Endpoint:
    """A function of a request as an application. Of a bare function Starlette makes one that looks for errors, too,
    which costs a tenth of a short request, and the application around all endpoints does so anyway."""

    def __init__(self, endpoint: Callable[[Request], Any]) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._endpoint(Request(scope, receive, send))
        await response(scope, receive, send)


async def _refused(request: Request, error: Any) -> Response:
    return refusal(error)


async def _http(request: Request, error: Any) -> Response:
    """Answer what the routes refuse: a path that does not exist, or another method."""
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        return refusal(
            Refused(f"{request.method} is not what this path takes; it takes {allowed}", 405, headers=error.headers)
        )
    path = request.url.path[:100].encode("ascii", "backslashreplace").decode()
    text = f"there is no {path} here; /openapi.json lists what is" if error.status_code == 404 else str(error.detail)
    return refusal(Refused(text, error.status_code))


async def _ours(request: Request, error: Any) -> Response:
    return refusal(Refused(str(error)))


async def _left(request: Request, error: Any) -> Response:
    """Nobody reads it."""
    return Response(status_code=499)
