"""Tokens of a corpus: the setting `tokens`, and the vocabulary that it asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..errors import CorpusError
from ..text import (
    SPLIT,
    Bytes,
    LongTokens,
    Vocabulary,
    check_tokens,
    compiled,
    find_tokens,
    read_tokenizer,
    train_subwords,
)
from .files import read_file

SAMPLE = 1 << 25
"""Characters of a text, from its beginning, that subwords are trained on, and in which an expression finds tokens."""
Tokens = str | Vocabulary
"""chars, bytes, bpe:N, split:REGEX, the path of a tokenizer.json; or a model's vocabulary."""


def reads_bytes(tokens: Tokens) -> bool:
    """Whether files are read as bytes, whatever they hold.

    Raises:
        InputError: `tokens` names what is no regular expression, which is said before anything is read.
    """
    if isinstance(tokens, str) and tokens.startswith(SPLIT):
        compiled(tokens.removeprefix(SPLIT))
    return isinstance(tokens, Bytes) or tokens == "bytes"


def long_tokens(tokens: Tokens, parts: Iterable[str | bytes]) -> LongTokens | None:
    """The subwords or other long tokens that are asked for, found in a text in parts; None: characters or bytes.

    Raises:
        InputError: `tokens` is nothing of the kind.
        CorpusError: such a file cannot be read.
    """
    if isinstance(tokens, Vocabulary):
        return tokens if isinstance(tokens, LongTokens) else None
    size = check_tokens(tokens)
    if size is not None:
        return train_subwords(take(parts, SAMPLE), size)
    if tokens.startswith(SPLIT):
        return find_tokens(take(parts, SAMPLE), tokens.removeprefix(SPLIT))
    if tokens in ("chars", "bytes"):
        return None
    try:
        return read_tokenizer(read_file(Path(tokens)), tokens)
    except OSError as error:
        raise CorpusError(f"{tokens}: {error.strerror or error}") from None


def take(parts: Iterable[Any], most: int | None) -> Iterator[Any]:
    """The first characters, or bytes, of a text in parts."""
    for part in parts:
        if most is not None and len(part) >= most:
            yield part[:most]
            return
        yield part
        most = None if most is None else most - len(part)
