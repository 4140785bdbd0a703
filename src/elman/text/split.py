"""Tokens by a regular expression, such as the atoms of molecules: Cl, Br, [nH].

The expression is used once, to find the tokens in the training text. A vocabulary holds the tokens themselves, and a
text is cut into the longest that fit, from its beginning on. So no expression from somebody's file is ever run, and the
time to cut a text does not depend on what the tokens are.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np

from .. import given
from ..errors import InputError
from .long_tokens import MOST, LongTokens, is_utf8, strings
from .vocabulary import Vocabulary

SPLIT = "split:"
"""How the setting `tokens` begins that names an expression."""
_LONGEST = 64  # characters of a token: the lookups at one place are no more than this
_EXPRESSION = 500  # characters of an expression


class SplitTokens(LongTokens):
    """The 256 bytes, and longer tokens that an expression found.

    Args:
        tokens: strings of at least two bytes, without line ends. Token k has id 256 + k.
        expression: what found them, for a reader. It is not run.
    Raises:
        InputError: tokens that are no such strings or occur twice, or too many.
    """

    kind, needs = "split", ("split",)

    def __init__(self, tokens: Iterable[str], expression: str) -> None:
        given.instance("expression", expression, str, "a regular expression")
        check_expression(expression)
        try:
            self.tokens, self.expression = tuple(tokens), expression
        except TypeError:
            raise InputError(f"tokens are {given.shown(tokens)}; expected strings") from None
        if len(self.tokens) > MOST - 256:
            raise InputError(f"{len(self.tokens):,} tokens besides the bytes; expected at most {MOST - 256:,}")
        self._ids = {_checked(token): 256 + k for k, token in enumerate(self.tokens)}
        if len(self._ids) < len(self.tokens):
            raise InputError("a vocabulary lists a token twice")
        self._hold([*(bytes([byte]) for byte in range(256)), *(token.encode() for token in self.tokens)])
        self._longest = max(map(len, self.tokens), default=1)
        lengths: dict[str, set[int]] = {}
        for token in self.tokens:
            lengths.setdefault(token[0], set()).add(len(token))
        self._lengths_after = {first: sorted(found, reverse=True) for first, found in lengths.items()}

    @property
    def setting(self) -> str:
        return SPLIT + self.expression

    @property
    def identity(self) -> Any:
        return self.tokens

    def encode_parts(self, parts: Iterable[str | bytes]) -> Iterator[np.ndarray]:
        rest = ""
        for part in chain(strings(parts), [None]):
            text = rest + (part or "")
            ids, at = self._cut(text, len(text) if part is None else len(text) - self._longest + 1)
            rest = text[at:]
            yield np.array(ids, dtype=self.dtype)

    def _cut(self, text: str, end: int) -> tuple[list[int], int]:
        """The ids of the tokens that begin before `end`, and where the next one begins."""
        ids: list[int] = []
        at, lengths_after, known = 0, self._lengths_after, self._ids
        while at < end:
            first = text[at]
            for length in lengths_after.get(first, ()):
                id = known.get(text[at : at + length])
                if id is not None:
                    ids.append(id)
                    at += length
                    break
            else:
                ids.extend(first.encode("utf-8", "surrogateescape"))
                at += 1
        return ids, at

    def joined(self, other: Vocabulary) -> SplitTokens:
        given.instance("other", other, Vocabulary, "a Vocabulary")
        if other != self:
            raise InputError(f"the model has {len(self):,} tokens, and the text was cut into others; use the model's")
        return self

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "symbols": [], "tokens": list(self.tokens), "expression": self.expression}

    @classmethod
    def _from_dict(cls, data: dict[str, Any]) -> SplitTokens:
        tokens, expression = data.get("tokens"), data.get("expression")
        if not isinstance(tokens, list) or not isinstance(expression, str):
            raise InputError("a vocabulary of kind 'split' has 'tokens', a list of strings, and an 'expression'")
        return cls(tokens, expression)


def _checked(token: Any) -> str:
    """Raises InputError for what is no token of several bytes."""
    if not isinstance(token, str) or not is_utf8(token) or "\n" in token or len(token.encode()) < 2:
        raise InputError(f"a token is {given.shown(token)}; expected a string of two bytes or more without line ends")
    if len(token) > _LONGEST:
        raise InputError(f"a token has {len(token):,} characters; expected at most {_LONGEST}")
    return token


def check_expression(expression: str) -> None:
    """Raises InputError for one that is empty, very long or no text; whether it is an expression, `compiled` says."""
    if not 0 < len(expression) <= _EXPRESSION or not is_utf8(expression):
        raise InputError(
            f"tokens {SPLIT}REGEX: the expression is {given.shown(expression)}; expected 1 to {_EXPRESSION} characters",
            setting="tokens",
        )


def compiled(expression: str) -> re.Pattern[str]:
    """Raises InputError for what is no regular expression."""
    check_expression(expression)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of "[[", which may mean a set of sets one day
            return re.compile(expression)
    except (re.error, OverflowError, RecursionError) as error:
        raise InputError(
            f"tokens {SPLIT}{expression}: no regular expression of Python's re: {error}", setting="tokens"
        ) from None


def find_tokens(texts: Iterable[str | bytes], expression: str) -> SplitTokens:
    """The tokens that `expression` matches within the lines of a text in parts, and the characters between them that
    are several bytes; by falling frequency, ties in order of their code points.

    Raises:
        InputError: it is no regular expression, matches nothing longer than a character, or too much.
    """
    pattern, counts = compiled(expression), Counter[str]()
    for line in _lines(strings(texts)):
        found = [match.group() for match in pattern.finditer(line)]
        if not line.isascii():
            found += filter(is_utf8, pattern.sub("", line))
        counts.update(token for token in found if len(token) > 1 or not token.isascii())
        longest = max(found, key=len, default="")
        if len(longest) > _LONGEST or len(counts) > MOST - 256:
            much = f"{len(longest):,} characters at once" if len(longest) > _LONGEST else f"{len(counts):,} tokens"
            raise InputError(
                f"tokens {SPLIT}{expression} matches {much}; expected at most {_LONGEST} characters and "
                f"{MOST - 256:,} tokens: make the expression narrower",
                setting="tokens",
            )
    if max(map(len, counts), default=0) < 2:
        raise InputError(
            f"tokens {SPLIT}{expression} matches nothing in the text that is longer than a character; correct the "
            "expression, or train on chars",
            setting="tokens",
        )
    return SplitTokens(sorted(filter(is_utf8, counts), key=lambda token: (-counts[token], token)), expression)


def _lines(parts: Iterable[str]) -> Iterator[str]:
    rest: list[str] = []
    for part in parts:
        first, *more = part.split("\n")
        rest.append(first)
        if more:
            yield "".join(rest)
            yield from more[:-1]
            rest = [more[-1]]
    yield "".join(rest)
