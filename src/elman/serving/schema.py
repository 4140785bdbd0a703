"""Schema: the API as OpenAPI 3.1 describes it, for clients that generate themselves and for fuzzers."""

from __future__ import annotations

from typing import Any

from .. import __version__
from .limits import Limits
from .objects import OBJECTS, reference

_ERROR = {
    "description": "What is wrong, in one sentence.",
    "content": {"application/json": {"schema": reference("Error")}},
}
_REFUSALS = {str(status): _ERROR for status in (400, 401, 403, 404, 408, 413, 415, 429, 503)}


_STRING, _INTEGER, _NUMBER, _FLAG = ({"type": kind} for kind in ("string", "integer", "number", "boolean"))
_COUNT: dict[str, Any] = {**_INTEGER, "minimum": 0}
_STRINGS = {"type": "array", "items": _STRING}
_IDS = {"type": "array", "items": _COUNT}
_TEXT = {"anyOf": [_STRING, _STRINGS]}


def openapi_schema(limits: Limits) -> dict[str, Any]:
    """The document that `/openapi.json` gives."""
    completion, chat = _writing(limits)
    by = {"enum": ["symbols", "words", "lines"]}
    model = {"model": _STRING}
    posts = {
        "/v1/completions": ("Continue a prompt.", completion, [], "Completion"),
        "/v1/chat/completions": ("Continue the contents of messages.", chat, ["messages"], "ChatCompletion"),
        "/v1/score": (
            "What texts cost, in bits.",
            model | _same("text", _TEXT, "input", "prompt") | {"by": by}, ["text"], "Scores",
        ),
        "/v1/after": (
            "What comes next.",
            model | _same("text", _STRING, "prompt") | _same("n", {**_INTEGER, "minimum": 1}, "count"), [], "After",
        ),
        "/v1/tokenize": ("The ids of a text.", model | _same("prompt", _STRING, "content", "text"), [], "Tokens"),
        "/v1/detokenize": ("The text of ids.", model | _same("tokens", _IDS, "ids"), [], "Text"),
        "/v1/compress": ("An archive of a text, as base64.", model | {"text": _STRING}, [], "Archive"),
        "/v1/decompress": ("The text of an archive.", model | {"data": _STRING}, [], "Unpacked"),
    }  # fmt: skip
    gets = {
        "/v1/models": ("The models that are served.", "Models"),
        "/v1/models/{id}": ("One of the models.", "Model"),
        "/v1/tokenizer_info": ("How the model reads a text.", "Tokenizer"),
        "/v1/health": ("Whether the server is ready.", "Health"),
        "/v1/metrics": ("Prometheus's text format.", None),
        "/v1/openapi.json": ("This document.", "Document"),
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Elman", "version": __version__,
            "description": "Recurrent language models over HTTP. Every path works without /v1 too.",
        },
        "paths": _paths(posts, gets),
        "components": {"schemas": OBJECTS, "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
        "security": [{}, {"key": []}],
    }  # fmt: skip


def _same(name: str, kind: dict[str, Any], *others: str) -> dict[str, Any]:
    """A field, and other names of it."""
    return {name: kind} | {other: {**kind, "description": f"Another name of {name}."} for other in others}


def _writing(limits: Limits) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields of a completion, and of a chat."""
    most, some = {**_COUNT, "maximum": limits.max_tokens}, {**_INTEGER, "minimum": 1, "maximum": limits.texts}
    settings = {
        "model": _STRING, **_same("max_tokens", most, "length"),
        "temperature": {**_NUMBER, "minimum": 0}, "alpha": {**_NUMBER, "exclusiveMinimum": 0},
        "top_p": {**_NUMBER, "exclusiveMinimum": 0, "maximum": 1}, "top_k": {**_INTEGER, "minimum": -1},
        "min_p": {**_NUMBER, "minimum": 0, "maximum": 1},
        **_same("repetition_penalty", {**_NUMBER, "minimum": 1e-6, "maximum": 1e6}, "repeat_penalty"),
        "presence_penalty": _NUMBER, "frequency_penalty": _NUMBER, "seed": _INTEGER, **_same("n", some, "num_samples"),
        "best_of": some, "stop": _TEXT, "stream": _FLAG,
        "stream_options": {"type": "object", "properties": {"include_usage": _FLAG}},
        "logit_bias": {"type": "object", "additionalProperties": _NUMBER}, "allowed": _STRING,
        **_same("allowed_token_ids", _IDS, "allowed_ids"), "choice": {"enum": ["floats", "integers"]},
        "prompt_logprobs": _COUNT, "return_token_ids": _FLAG, "return_tokens_as_token_ids": _FLAG, "user": _STRING,
        "beam": {**some, "description": "Search for so many likeliest texts in place of drawing."},
        "new": {**some, "description": "Write so many whole records that are not among `known`."}, "known": _STRINGS,
    }  # fmt: skip
    completion = settings | {
        "prompt": {"anyOf": [_STRING, _IDS, {"type": "array", "items": {"anyOf": [_STRING, _IDS]}}]}, "echo": _FLAG,
        "logprobs": _COUNT, "suffix": {**_STRING, "description": "Refused: these models read from left to right only."},
    }  # fmt: skip
    part = {"type": "object", "properties": {"type": _STRING, "text": _STRING}, "required": ["text"]}
    content = {"anyOf": [_STRING, {"type": "array", "items": part}, {"type": "null"}]}
    message = {"type": "object", "properties": {"role": _STRING, "content": content}, "required": ["content"]}
    chat = settings | {
        "messages": {"type": "array", "items": message, "minItems": 1}, "logprobs": _FLAG, "top_logprobs": _COUNT,
        **_same("max_tokens", most, "max_completion_tokens"),
    }  # fmt: skip
    return completion, chat


def _paths(posts: dict[str, Any], gets: dict[str, Any]) -> dict[str, Any]:
    paths: dict[str, Any] = {path: {"post": _post(path, *about)} for path, about in posts.items()}
    for path, (summary, name) in gets.items():
        kind = "text/plain" if name is None else "application/json"
        good = {"description": summary, "content": {kind: {} if name is None else {"schema": reference(name)}}}
        paths[path] = {"get": {"summary": summary, "responses": {"200": good, **_REFUSALS}}}
        if "{id}" in path:
            paths[path]["get"]["parameters"] = [{"name": "id", "in": "path", "required": True, "schema": _STRING}]
        if name == "Tokenizer":
            paths[path]["get"]["parameters"] = [{"name": "model", "in": "query", "schema": _STRING}]
    return paths


def _post(place: str, summary: str, properties: dict[str, Any], required: list[str], name: str) -> dict[str, Any]:
    body = {"type": "object", "properties": properties, "required": required}
    content: dict[str, Any] = {"application/json": {"schema": body}}
    found: dict[str, Any] = {"application/json": {"schema": reference(name)}}
    if "compress" in place:  # and decompress: of a body that is no JSON
        content["application/octet-stream"] = found["application/octet-stream"] = {}
    if "score" in place:
        content["application/x-ndjson"] = found["application/x-ndjson"] = {}
    if "stream" in properties:
        found["text/event-stream"] = {}
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": content},
        "responses": {"200": {"description": summary, "content": found}, **_REFUSALS},
    }
