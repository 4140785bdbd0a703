"""Cost of texts under a model: the surprisal of every token, in bits.

The model reads a line end before every text, as before every record, so its first token has a context too. A record
also pays for its own line end. The total is the length that a coder would emit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast, overload

import numpy as np

from ..errors import InputError
from ..model import Model
from ..text import Reading
from .adaptive import adaptive_nats
from .blocks import record_bits, text_bits
from .lines import BURST, Lines, token_array

_ESCAPED = re.compile("[\udc80-\udcff]")  # what "surrogateescape" makes of a byte that is not UTF-8


@dataclass(frozen=True, eq=False)
class Score:
    """The cost of a text under a model. Nothing changes it, so threads may share it."""

    data: str | bytes
    """The scored text, after the model's normalisation; as bytes, if the model's tokens are of bytes."""
    surprisal: np.ndarray
    """float64 (T,), bits of each token."""
    unknown: int
    """Characters that the model's vocabulary lacks; each was scored as <unk>."""
    records: bool = False
    """Each line was scored by itself."""
    widths: np.ndarray | None = None
    """int64 (T,), bytes of each token; None: each is one entry of `data`."""
    adaptive: bool = False
    """The model learned from the text that it scored, as a compressor does: see `ADAPTIVE`."""
    is_unknown: np.ndarray | None = None
    """bool (T,), which tokens were scored as <unk>; None: none was."""

    @property
    def text(self) -> str:
        """`data`; what is not UTF-8 in it as U+FFFD."""
        return self.data if isinstance(self.data, str) else self.data.decode("utf-8", "replace")

    @cached_property
    def bits(self) -> float:
        """The whole text's, summed without rounding on the way."""
        return math.fsum(self.surprisal)

    @cached_property
    def num_characters(self) -> int:
        """A byte that is not UTF-8 counts as one."""
        return len(self.data if isinstance(self.data, str) else self.data.decode("utf-8", "surrogateescape"))

    @cached_property
    def num_bytes(self) -> int:
        """Bytes of the text as UTF-8."""
        return len(self.data.encode("utf-8", "surrogatepass") if isinstance(self.data, str) else self.data)

    @property
    def bits_per_char(self) -> float:
        """0 for no text."""
        return self.bits / self.num_characters if self.data else 0.0

    @property
    def bits_per_byte(self) -> float:
        """0 for no text."""
        return self.bits / self.num_bytes if self.data else 0.0

    @property
    def perplexity(self) -> float:
        """2 to the bits per token, which is exp of the mean nats. It compares models whose tokens are the same."""
        return perplexity(self.bits / max(1, len(self.surprisal)))

    @cached_property
    def costs(self) -> np.ndarray:
        """float64: bits of each entry of `data`. Those of a token are spread evenly over its bytes."""
        if self.widths is None:
            return self.surprisal
        return np.repeat(self.surprisal / self.widths, self.widths)

    def tokens_of_characters(self) -> tuple[np.ndarray, np.ndarray]:
        """int64 (C,) each: in which token each character begins, and in which it ends."""
        if isinstance(self.data, str):
            places = np.arange(len(self.data))
            return places, places
        wide = widths(self.data.decode("utf-8", "surrogateescape"))
        ends = np.cumsum(wide)
        if self.widths is None:
            return ends - wide, ends - 1
        token = np.repeat(np.arange(len(self.widths)), self.widths)
        return token[ends - wide], token[ends - 1]

    def tokens_between(self, begin: int, end: int) -> slice:
        """The tokens of data[begin:end], whole."""
        if self.widths is None:
            return slice(begin, end)
        first, last = np.searchsorted(np.concatenate(([0], np.cumsum(self.widths))), (begin, end))
        return slice(int(first), int(last))

    def part(self, begin: int, end: int) -> Score:
        """The score of the tokens in data[begin:end]."""
        some = self.tokens_between(begin, end)
        if self.widths is not None:
            begin, end = int(self.widths[: some.start].sum()), int(self.widths[: some.stop].sum())
        widths = None if self.widths is None else self.widths[some]
        lacking = None if self.is_unknown is None else self.is_unknown[some]
        return replace(
            self,
            data=self.data[begin:end],
            surprisal=self.surprisal[some],
            unknown=0 if lacking is None else int(lacking.sum()),
            widths=widths,
            is_unknown=lacking,
        )

    def __repr__(self) -> str:
        what = f"{len(self.lines()):,} records, " if self.records else ""
        size = f"{len(self.data):,} {'characters' if isinstance(self.data, str) else 'bytes'}"
        how = ", adaptive" if self.adaptive else ""
        return f"Score({what}{size}, {self.bits:,.1f} bits, {self.bits_per_char:.4f} bits/char{how})"

    def characters(self) -> tuple[str, np.ndarray]:
        """The text and float64 (C,) bits of its characters, each the sum over the character's bytes."""
        if isinstance(self.data, str):
            return self.data, self.costs
        text = self.data.decode("utf-8", "surrogateescape")  # a byte that is not UTF-8: one character
        return _ESCAPED.sub("\ufffd", text), self._add(widths(text))

    def lines(self) -> Lines:
        """The cost of every line, its line end counted."""
        newline = "\n" if isinstance(self.data, str) else b"\n"
        tokens = token_array(self.data)
        ends = np.flatnonzero(tokens == ord(newline)) + 1
        if len(tokens) and (not len(ends) or ends[-1] != len(tokens)):
            ends = np.append(ends, len(tokens))
        lengths = np.diff(ends, prepend=0)
        return Lines(self.data, ends - lengths, lengths, self._add(lengths), *self._bursts(lengths))

    def _bursts(self, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """float64 (N,): of each line, the most bits that `BURST` neighbours of it cost, or all of a shorter one; and
        int64 (N,), the place in the line of the last of them."""
        place = np.arange(len(self.costs)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        sums = self.costs.copy()  # of a character and those before it in its line
        for back in range(1, BURST):
            sums[back:] += np.where(place[back:] >= back, self.costs[:-back], 0.0)
        starts = np.cumsum(lengths) - lengths
        if not len(starts):
            return np.zeros(0), starts
        most = np.maximum.reduceat(sums, starts)
        reached = np.flatnonzero(sums == np.repeat(most, lengths))
        return most, reached[np.searchsorted(reached, starts)] - starts

    def _add(self, lengths: np.ndarray) -> np.ndarray:
        """float64: sums of runs of `costs`, added from left to right."""
        return np.bincount(np.repeat(np.arange(len(lengths)), lengths), self.costs, minlength=len(lengths))


def widths(text: str) -> np.ndarray:
    """Bytes that each character was, of a text decoded with "surrogateescape"."""
    points = token_array(text)
    widths = 1 + (points >= 0x80).astype(np.int64) + (points >= 0x800) + (points >= 0x10000)
    return np.where((points >= 0xDC80) & (points <= 0xDCFF), 1, widths)


def perplexity(bits_per_token: float) -> float:
    """2 to the bits per token; infinite rather than too large."""
    return 2.0**bits_per_token if bits_per_token < 1000 else math.inf


@overload
def score(model: Model, text: str | bytes, *, records: bool | None = None, adaptive: bool = False) -> Score: ...
@overload
def score(
    model: Model, text: Sequence[str | bytes], *, records: bool | None = None, adaptive: bool = False
) -> list[Score]: ...
def score(
    model: Model,
    text: str | bytes | Sequence[str | bytes],
    *,
    records: bool | None = None,
    adaptive: bool = False,
) -> Score | list[Score]:
    """Cost of `text` under `model`, in bits.

    Args:
        text: str, normalised as the model's corpus was; or bytes, for a model of bytes. A list of texts is read side by
            side, each by itself, which is much faster than one after another.
        records: score each line by itself, from a zero state, after a line end and with its own. None: if the model is
            one of records.
        adaptive: learn from each text while it is scored, from no token before that is scored; n-grams are mixed in.
            `model` does not change. Far slower, and not comparable with other scores: it is what a compressor does.
    Returns:
        a Score: the surprisal of every token, their sum and mean, the perplexity, the lines; a list for a list.
    Raises:
        InputError: an empty text, or records of a model that knows no line end.
    Source: Shannon (1948); the length that a coder would emit.
    """
    if isinstance(text, (list, tuple)):
        return score_many(model, text, records=records, adaptive=adaptive)
    one = cast("str | bytes", text)  # what is no text is refused where it is read
    return score_many(model, [one], records=records, adaptive=adaptive)[0]


def score_many(
    model: Model,
    texts: Sequence[str | bytes],
    *,
    records: bool | None = None,
    names: Sequence[str] = (),
    adaptive: bool = False,
) -> list[Score]:
    """`score` of each text, all read side by side. `names` are for messages.

    Raises:
        InputError: an empty text, or records of a model that knows no line end.
    """
    reading = model.reading
    by_line = reading.records if records is None else records
    datas, parts = [], []
    for index, text in enumerate(texts):
        reading.check(text)
        if not len(text):
            where = f"{names[index]}: " if names else f"text {index}: " if len(texts) > 1 else ""
            raise InputError(f"{where}nothing to score: the text is empty")
        datas.append(reading.prepare(text, by_line))
        parts.append(reading.vocabulary.encode(datas[-1]))
    measure = record_bits if by_line else text_bits
    one_by_one = (measure(model, [part], adaptive_nats)[0] for part in parts)
    costs = one_by_one if adaptive else measure(model, parts)
    return [scored(reading, *one, by_line, adaptive) for one in zip(datas, parts, costs, strict=True)]


def scored(
    reading: Reading, data: str | bytes, ids: np.ndarray, bits: np.ndarray, by_line: bool, adaptive: bool = False
) -> Score:
    """The Score of `data`, prepared by `reading`, whose tokens are `ids` (T,) and cost `bits` (T,)."""
    vocabulary = reading.vocabulary
    unknown = vocabulary.unknown(ids)
    lacking = vocabulary.is_unknown(ids) if unknown else None
    return Score(data, bits, unknown, by_line, vocabulary.widths(ids), adaptive, lacking)
