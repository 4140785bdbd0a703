"""The subwords of a tokenizer.json, as other libraries write it."""

from __future__ import annotations

import json
from typing import Any

from ..errors import InputError
from .subwords import Subwords, from_pairs


def read_tokenizer(data: bytes, source: str) -> Subwords:
    """The merges of a `tokenizer.json` of a byte-level BPE. Where words end is said here and not there, and added
    tokens are left out.

    Raises:
        InputError: it is none, or one that loses or changes text.
    """
    try:
        whole = json.loads(data)
        model = whole["model"]
        kind, vocabulary, merges = model.get("type", "BPE"), model["vocab"], model.get("merges")
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        raise InputError(
            f"{source}: not a tokenizer.json: expected an object with a model and its vocabulary"
        ) from None
    letters = _letters_of_bytes()
    reason = None
    if kind != "BPE" or not isinstance(merges, list) or not isinstance(vocabulary, dict):
        reason = f"its model is {kind!r}"
    elif _normalises(whole.get("normalizer")):
        reason = "it normalises text, which would be lost"
    elif any(model.get(name) for name in ("byte_fallback", "continuing_subword_prefix", "end_of_word_suffix")):
        reason = "it marks its tokens, or falls back on bytes"
    elif not set(letters) <= set(vocabulary):
        reason = "it has no token for every byte"
    if reason:
        raise InputError(f"{source}: expected a byte-level BPE, which loses no text; {reason}")
    try:
        pairs = [pair.split(" ") if isinstance(pair, str) else pair for pair in merges]
        return from_pairs([(_bytes(a, letters), _bytes(b, letters)) for a, b in pairs])
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{source}: its merges are not pairs of byte-level tokens") from None


def _normalises(step: Any) -> bool:
    """Whether a file's "normalizer" does anything: none, null and sequences of nothing do not."""
    steps = [step]
    while steps:
        step = steps.pop()
        inner = step.get("normalizers") if isinstance(step, dict) and step.get("type") == "Sequence" else step
        if isinstance(inner, list):
            steps += inner
        elif inner:
            return True
    return False


def _bytes(token: str, letters: dict[str, int]) -> bytes:
    return bytes(letters[letter] for letter in token)


def _letters_of_bytes() -> dict[str, int]:
    """The character that stands for each byte in such a file: itself if it is printable, else one from U+0100 on."""
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in seen]
    return {chr(byte): byte for byte in seen} | {chr(0x100 + place): byte for place, byte in enumerate(rest)}
