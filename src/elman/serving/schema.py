"""Schema: the API as OpenAPI 3.1 describes it, for clients that generate themselves and for fuzzers."""

from __future__ import annotations

from typing import Any

from .. import __version__
from .limits import Limits

_ERROR = {
    "description": "What is wrong, in one sentence.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
}
_REFUSALS = {str(status): _ERROR for status in (400, 401, 403, 404, 408, 413, 415, 429, 503)}


def openapi_schema(limits: Limits) -> dict[str, Any]:
    """The document that `/openapi.json` gives."""
    string, integer, number, flag = ({"type": kind} for kind in ("string", "integer", "number", "boolean"))
    strings = {"anyOf": [string, {"type": "array", "items": string}]}
    ids = {"type": "array", "items": {**integer, "minimum": 0}}
    count = {**integer, "minimum": 0}
    settings = {
        "model": string, "max_tokens": {**count, "maximum": limits.max_tokens}, "temperature": {**number, "minimum": 0},
        "alpha": number, "top_p": {**number, "exclusiveMinimum": 0, "maximum": 1}, "top_k": {**integer, "minimum": -1},
        "min_p": {**number, "minimum": 0, "maximum": 1},
        "repetition_penalty": {**number, "minimum": 1e-6, "maximum": 1e6},
        "presence_penalty": number, "frequency_penalty": number, "seed": integer,
        "n": {**integer, "minimum": 1, "maximum": limits.texts}, "stop": strings, "stream": flag,
        "stream_options": {"type": "object", "properties": {"include_usage": flag}},
        "logit_bias": {"type": "object", "additionalProperties": number}, "allowed": string,
        "choice": {"enum": ["floats", "integers"]},
        "allowed_token_ids": ids, "return_token_ids": flag, "return_tokens_as_token_ids": flag, "user": string,
    }  # fmt: skip
    completion = settings | {
        "prompt": {"anyOf": [string, ids, {"type": "array", "items": {"anyOf": [string, ids]}}]}, "echo": flag,
        "logprobs": count, "prompt_logprobs": count, "best_of": {**integer, "minimum": 1, "maximum": limits.texts},
        "suffix": string,
    }  # fmt: skip
    message = {"type": "object", "properties": {"role": string, "content": string}, "required": ["content"]}
    chat = settings | {
        "messages": {"type": "array", "items": message, "minItems": 1}, "logprobs": flag, "top_logprobs": count,
        "max_completion_tokens": {**count, "maximum": limits.max_tokens},
    }  # fmt: skip
    by = {"enum": ["symbols", "words", "lines"]}
    posts = {
        "/v1/completions": ("Continue a prompt.", completion, []),
        "/v1/chat/completions": ("Continue the contents of messages.", chat, ["messages"]),
        "/v1/score": ("What texts cost, in bits.", {"model": string, "text": strings, "by": by}, ["text"]),
        "/v1/after": ("What comes next.", {"model": string, "text": string, "n": {**integer, "minimum": 1}}, []),
        "/v1/tokenize": ("The ids of a text.", {"model": string, "prompt": string}, []),
        "/v1/detokenize": ("The text of ids.", {"model": string, "tokens": ids}, []),
        "/v1/compress": ("An archive of a text, as base64.", {"model": string, "text": string}, []),
        "/v1/decompress": ("The text of an archive.", {"model": string, "data": string}, []),
    }
    gets = {
        "/v1/models": "The models that are served.",
        "/v1/tokenizer_info": "How the model reads a text.",
        "/v1/health": "Whether the server is ready.",
        "/v1/metrics": "Prometheus's text format.",
    }
    paths = _paths(posts, gets)
    error = {
        "type": "object",
        "properties": {"message": string, "type": string, "param": {"type": ["string", "null"]}, "code": integer},
        "required": ["message", "type", "code"],
    }
    wrapped = {"type": "object", "properties": {"error": error}, "required": ["error"]}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Elman", "version": __version__, "description": "Recurrent language models over HTTP."},
        "paths": paths,
        "components": {"schemas": {"Error": wrapped}, "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
        "security": [{}, {"key": []}],
    }


def _paths(posts: dict[str, Any], gets: dict[str, str]) -> dict[str, Any]:
    paths: dict[str, Any] = {path: {"post": _post(path, *about)} for path, about in posts.items()}
    for path, summary in gets.items():
        kind = "text/plain" if path.endswith("metrics") else "application/json"
        good = {"description": summary, "content": {kind: {}}}
        paths[path] = {"get": {"summary": summary, "responses": {"200": good, **_REFUSALS}}}
    return paths


def _post(place: str, summary: str, properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    body = {"type": "object", "properties": properties, "required": required}
    good = {"description": summary, "content": {"application/json": {}}}
    if "compress" in place:  # and decompress: of a body that is no JSON
        good["content"]["application/octet-stream"] = {}  # type: ignore[index]
    if "stream" in properties:
        good["content"]["text/event-stream"] = {}  # type: ignore[index]
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {"200": good, **_REFUSALS},
    }
