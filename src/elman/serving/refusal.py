"""Refused: what a request gets in place of an answer, in the form that clients of OpenAI's API read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TYPES = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}


class Refused(Exception):
    """An answer with an error.

    Args:
        message: one sentence: what was expected, what came, what to do.
        status: of HTTP. A wrong request is never 5xx, which clients would repeat.
        param: the field that is wrong.
    """

    def __init__(
        self, message: str, status: int = 400, param: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.message, self.status, self.param, self.headers = message, status, param, dict(headers or {})

    @property
    def body(self) -> dict[str, Any]:
        kind = "server_error" if self.status >= 500 else _TYPES.get(self.status, "invalid_request_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.status}}
