"""Serving: models over HTTP, as OpenAI's API has it. Needs the extra `elman[serve]`; without it `create_app` raises
InputError.

app = create_app({"english": "english"})      # for any ASGI server: uvicorn module:app
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .limits import Limits

if TYPE_CHECKING:
    from .server import create_app

__all__ = ["Limits", "create_app"]


def __getattr__(name: str) -> Any:
    if name != "create_app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from .server import create_app
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "anyio"):
            raise
        raise InputError("to serve a model takes Starlette and uvicorn; pip install 'elman[serve]'") from None
    return create_app
