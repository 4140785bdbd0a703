"""Subwords: a byte-level BPE. Ids 0 .. 255 are the bytes, and each merge of two ids makes the next one.

So every text has ids, and they give back its bytes. Words, within which merges are made, are cut by a rule that is
written here in full: it needs no tables of Unicode, whose versions differ from one Python to the next.

Source: Sennrich et al. (2016); Radford et al. (2019) for bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain, pairwise
from operator import index
from typing import Any

import numpy as np

from .. import given
from ..errors import InputError
from .long_tokens import MOST, LongTokens, strings
from .vocabulary import Vocabulary

_OTHER = (
    "\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f!-/:-@\\[-`{-\xbf\xd7\xf7\u2000-\u2bff"
    "\u3000-\u303f\uff00-\uff0f\U0001f000-\U0001faff"
)
_LETTER = f"[^{_OTHER}0-9 \\t\\r\\n]"
_WORD = re.compile(
    f"\n| ?{_LETTER}{{1,24}}(?:['\u2019]{_LETTER}{{1,24}}){{0,2}}| ?[0-9]{{1,8}}| ?[{_OTHER}]{{1,24}}"
    "|[ \\t\\r]{1,24}(?![^ \\t\\r\\n])|[ \\t\\r]"
)
"""A line end; letters, digits or signs, with the space before them; or blanks, of which a word takes the last. Letters
are all characters that are nothing else, apostrophes within words among them."""
_LONGEST = 1024  # bytes of a token: far more than a word, and few enough that a file cannot ask for gigabytes
_LOOK = 128  # characters: more than a word and what is looked at after it; words this far from an end are whole
_CACHED = 1 << 18  # words whose ids are remembered


class Subwords(LongTokens):
    """The tokens of a byte-level BPE.

    Args:
        merges: pairs of ids, in the order in which they are applied. Merge k makes id 256 + k, unless its bytes have an
            id already.
    Raises:
        InputError: a pair that names an id which no earlier merge makes, or too many.
    """

    kind, needs = "bpe", ("bpe",)

    def __init__(self, merges: Iterable[tuple[int, int]]) -> None:
        try:
            self.merges = tuple((index(a), index(b)) for a, b in merges)
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"merges are {given.shown(merges)}; expected pairs of ids") from None
        tokens = [bytes([byte]) for byte in range(256)]
        ids = {token: id for id, token in enumerate(tokens)}
        self._made: dict[tuple[int, int], tuple[int, int]] = {}  # pair -> (rank, id)
        for rank, (a, b) in enumerate(self.merges):
            if not (0 <= a < len(tokens) and 0 <= b < len(tokens)):
                raise InputError(f"merge {rank} of the subwords is of {a} and {b}; there are {len(tokens)} ids yet")
            token = tokens[a] + tokens[b]
            if len(token) > _LONGEST:
                raise InputError(
                    f"merge {rank} of the subwords makes {len(token):,} bytes; expected at most {_LONGEST}"
                )
            id = ids.setdefault(token, len(tokens))
            if id == len(tokens):
                tokens.append(token)
            self._made.setdefault((a, b), (rank, id))
        if len(tokens) > MOST:
            raise InputError(f"{len(tokens):,} subwords; expected at most {MOST:,}")
        self._hold(tokens)
        # no text has these: a line end is a word
        self.never_written = tuple(id for id, token in enumerate(tokens) if b"\n" in token and len(token) > 1)
        self._words = _Words(self._made)

    @property
    def setting(self) -> str:
        return f"{self.kind}:{len(self)}"

    @property
    def identity(self) -> Any:
        return self.merges

    def encode_parts(self, parts: Iterable[str | bytes]) -> Iterator[np.ndarray]:
        for words in word_lists(parts):
            ids = chain.from_iterable(map(self._words.__getitem__, words))
            yield np.fromiter(ids, dtype=self.dtype)
            if len(self._words) > _CACHED:
                self._words.clear()

    def joined(self, other: Vocabulary) -> Vocabulary:
        given.instance("other", other, Vocabulary, "a Vocabulary")
        if other != self:
            raise InputError(
                f"the model has its own subwords, {len(self):,}, and the text was cut into others; use the model's"
            )
        return self

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "symbols": [], "merges": [id for pair in self.merges for id in pair]}

    @classmethod
    def _from_dict(cls, data: dict[str, Any]) -> Subwords:
        flat = data.get("merges")
        if not isinstance(flat, list) or len(flat) % 2 or not all(type(id) is int for id in flat):
            raise InputError("the merges of a vocabulary of subwords are pairs of ids")
        return cls(zip(flat[::2], flat[1::2], strict=True))


class _Words(dict[str, tuple[int, ...]]):
    """Word -> its ids, found when it is first asked for."""

    def __init__(self, made: dict[tuple[int, int], tuple[int, int]]) -> None:
        self._made = made

    def __missing__(self, word: str) -> tuple[int, ...]:
        ids = list(word.encode("utf-8", "surrogateescape"))
        never = (len(self._made), 0)
        while len(ids) > 1:
            ranked = [self._made.get(pair, never) for pair in pairwise(ids)]
            best = min(ranked)
            if best is never:
                break
            at = ranked.index(best)  # of equal ones the first
            ids[at : at + 2] = [best[1]]
        self[word] = found = tuple(ids)  # which another thread may clear at once
        return found


def word_lists(parts: Iterable[str | bytes]) -> Iterator[list[str]]:
    """The words of a text that comes in parts, wherever it is cut; a byte that is not UTF-8 by "surrogateescape"."""
    rest = ""
    for part in chain(strings(parts), [None]):
        last = part is None
        words, held = _WORD.findall(rest + (part or "")), 0
        whole = len(words)
        while whole and held < _LOOK and not last:
            whole -= 1
            held += len(words[whole])
        rest = "".join(words[whole:])
        if whole:
            yield words[:whole]


def from_pairs(pairs: Iterable[tuple[bytes, bytes]]) -> Subwords:
    """The subwords that merges of these pairs make, in order. Raises InputError for a token that is not made yet."""
    ids = {bytes([byte]): byte for byte in range(256)}
    merges = []
    for a, b in pairs:
        if a not in ids or b not in ids:
            raise InputError(f"its merge of {a!r} and {b!r} is of tokens that no earlier one makes")
        merges.append((ids[a], ids[b]))
        ids.setdefault(a + b, len(ids))
    return Subwords(merges)
