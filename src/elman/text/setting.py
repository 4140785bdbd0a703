"""The setting `tokens`: which vocabulary a text is to have."""

from __future__ import annotations

from ..errors import InputError
from .long_tokens import MOST
from .split import SPLIT, check_expression


def check_tokens(tokens: str) -> int | None:
    """N of "bpe:N"; None for "chars", "bytes", "split:REGEX" and the path of a .json. Raises InputError for anything
    else."""
    if tokens.startswith(SPLIT):
        check_expression(tokens.removeprefix(SPLIT))
        return None
    if tokens in ("chars", "bytes") or tokens.endswith(".json"):
        return None
    if tokens.startswith("bpe:") and tokens[4:].isascii() and tokens[4:].isdigit() and len(tokens) < 12:
        size = int(tokens[4:])
        if not 256 < size <= MOST:
            raise InputError(
                f"tokens {tokens}: subwords have 257 to {MOST:,} entries, the 256 bytes among them", setting="tokens"
            )
        return size
    raise InputError(f"tokens must be chars, bytes, bpe:N, split:REGEX or the path of a tokenizer.json; got {tokens!r}")
