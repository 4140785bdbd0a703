"""Objects: what answers have, as JSON Schema."""

from __future__ import annotations

from typing import Any

_STRING, _INTEGER, _NUMBER = ({"type": kind} for kind in ("string", "integer", "number"))
_TEXT_OR_NULL, _ID_OR_NULL = ({"type": [kind, "null"]} for kind in ("string", "integer"))


def reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(of: Any) -> dict[str, Any]:
    return {"type": "array", "items": of}


def _object(optional: dict[str, Any] | None = None, /, **required: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}


_USAGE = _object(prompt_tokens=_INTEGER, completion_tokens=_INTEGER, total_tokens=_INTEGER)
_MAP = {"type": "object", "additionalProperties": _NUMBER}
_LOGPROBS = {
    "anyOf": [
        {"type": "null"},
        _object(
            tokens=_list(_STRING), token_logprobs=_list({"type": ["number", "null"]}), top_logprobs=_list(_MAP),
            text_offset=_list(_INTEGER),
        ),
    ]
}  # fmt: skip
_SYMBOL = {"token": _STRING, "logprob": _NUMBER, "bytes": {"anyOf": [{"type": "null"}, _list(_INTEGER)]}}
_CHAT_LOGPROBS = {
    "anyOf": [{"type": "null"}, _object(content=_list(_object(**_SYMBOL, top_logprobs=_list(_object(**_SYMBOL)))))]
}
_RANKED = _object(logprob=_NUMBER, rank=_INTEGER, decoded_token=_STRING)
_ALSO = {
    "bits": {**_NUMBER, "description": "What a text that a search found costs."},
    "token_ids": _list(_INTEGER), "prompt_token_ids": _list(_INTEGER),
    "prompt_logprobs": _list({"type": "object", "additionalProperties": _RANKED}),
}  # fmt: skip
_ENDED = {"index": _INTEGER, "finish_reason": _STRING, "stop_reason": _TEXT_OR_NULL}
_MESSAGE = _object(role=_STRING, content=_STRING)
_HEAD = {"model": _STRING, "system_fingerprint": _STRING}
_COST = {
    "bits_per_char": _NUMBER, "bits_per_byte": _NUMBER, "perplexity": _NUMBER, "characters": _INTEGER,
    "unknown": _INTEGER, "text": _STRING,
    "burst": _object(line=_INTEGER, bits=_NUMBER, to=_INTEGER, **{"from": _INTEGER}),
    "symbols": _list(_object(text=_STRING, id=_INTEGER, bits=_NUMBER)), "words": _list({"type": "object"}),
    "lines": _list(_object(line=_INTEGER, text=_STRING, bits=_NUMBER, burst=_NUMBER)),
}  # fmt: skip


_TIMINGS = {**_MAP, "description": "Milliseconds since the request came."}


def _completion(choice: Any) -> dict[str, Any]:
    return _object(
        {"timings": _TIMINGS},
        id=_STRING, object=_STRING, created=_INTEGER, seed=_INTEGER, choices=_list(choice), usage=_USAGE, **_HEAD,
    )  # fmt: skip


OBJECTS: dict[str, Any] = {
    "Error": _object(
        error=_object({"param": _TEXT_OR_NULL}, message=_STRING, type=_STRING, code=_INTEGER)
    ),
    "Completion": _completion(_object(_ALSO, text=_STRING, logprobs=_LOGPROBS, **_ENDED)),
    "ChatCompletion": _completion(_object(_ALSO, message=_MESSAGE, logprobs=_CHAT_LOGPROBS, **_ENDED)),
    "Scores": _object(object=_STRING, data=_list(_object(_COST, index=_INTEGER, bits=_NUMBER)), **_HEAD),
    "After": _object(object=_STRING, data=_list(_object(text=_STRING, probability=_NUMBER)), **_HEAD),
    "Tokens": _object(tokens=_list(_INTEGER), count=_INTEGER, max_model_len=_INTEGER),
    "Text": _object(prompt=_STRING, content=_STRING),
    "Archive": _object(model=_STRING, data=_STRING, bytes=_INTEGER),
    "Unpacked": _object(model=_STRING, text=_STRING, bytes=_INTEGER),
    "Model": _object(id=_STRING, object=_STRING, created=_INTEGER, owned_by=_STRING),
    "Models": _object(object=_STRING, data=_list(reference("Model"))),
    "Tokenizer": _object(
        tokenizer_class=_STRING, kind=_STRING, vocab_size=_INTEGER, normalisation=_STRING, records={"type": "boolean"},
        bos_token=_TEXT_OR_NULL, bos_token_id=_ID_OR_NULL, eos_token=_TEXT_OR_NULL, eos_token_id=_ID_OR_NULL,
        pad_token=_TEXT_OR_NULL, unk_token=_TEXT_OR_NULL, chat_template=_TEXT_OR_NULL,
        add_bos_token={"type": "boolean"},
    ),
    "Health": _object(status=_STRING),
    "Document": {"type": "object"},
}  # fmt: skip
