"""What texts cost under a model: the surprisal of every character, in bits.

The first character of a text has no context and costs log2 V bits, so that the total is the length that a coder would
emit. A record has one, the line end before it, and pays for its own line end instead. Texts and records are read side
by side, sorted by length, in as few calls of the model as memory allows; sums are exact: no order shows in them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from . import kernels
from .model import LanguageModel, ModelState
from .records import line_end, record_lines, record_spans
from .text import normalise

# Most sequences side by side times hidden units. The state then stays in the cache, and is too small for torch, which
# copies it between calls, to start threads of its own, which would spin on the kernel's cores.
_STATE = 1 << 15
_TOKENS = 1 << 16  # most steps times rows in a call: bounds memory, and does not change a bit of the result
_ESCAPED = re.compile("[\udc80-\udcff]")  # what "surrogateescape" makes of a byte that is not UTF-8
_STEPS = 4096  # most steps in a call, for a single row
BURST = 4
"""Neighbouring characters of a line whose bits together say how odd it is."""


@dataclass(frozen=True)
class Score:
    """The cost of a text under a model."""

    data: str | bytes
    """What was scored, a token for each entry of `surprisal`: the text after the model's normalisation, or bytes."""
    surprisal: np.ndarray
    """float64 (T,), bits of each character (or byte)."""
    unknown: int
    """Characters that the model's vocabulary lacks; each was scored as <unk>."""
    records: bool = False
    """Each line was scored by itself."""

    @property
    def text(self) -> str:
        """`data`; what is not UTF-8 in it as U+FFFD."""
        return self.data if isinstance(self.data, str) else self.data.decode("utf-8", "replace")

    @cached_property
    def bits(self) -> float:
        """The whole text's, summed without rounding on the way."""
        return math.fsum(self.surprisal)

    @property
    def bits_per_char(self) -> float:
        return self.bits / len(self.surprisal)

    @property
    def perplexity(self) -> float:
        """2 to the bits per character, which is exp of the mean nats."""
        return perplexity(self.bits_per_char)

    def characters(self) -> tuple[str, np.ndarray]:
        """The text and float64 (C,) bits of its characters, those of a character's bytes added up."""
        if isinstance(self.data, str):
            return self.data, self.surprisal
        text = self.data.decode("utf-8", "surrogateescape")  # a byte that is not UTF-8: one character
        return _ESCAPED.sub("\ufffd", text), self._add(widths(text))

    def lines(self) -> Lines:
        """The cost of every line, its line end counted."""
        newline = "\n" if isinstance(self.data, str) else b"\n"
        tokens = _tokens(self.data)
        ends = np.flatnonzero(tokens == ord(newline)) + 1
        if not len(ends) or ends[-1] != len(tokens):
            ends = np.append(ends, len(tokens))
        lengths = np.diff(ends, prepend=0)
        return Lines(self.data, ends - lengths, lengths, self._add(lengths), self._bursts(lengths))

    def _bursts(self, lengths: np.ndarray) -> np.ndarray:
        """float64 (N,): of each line, the most bits that `BURST` neighbours of it cost, or all of a shorter one."""
        place = np.arange(len(self.surprisal)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        sums = self.surprisal.copy()  # of a character and those before it in its line
        for back in range(1, BURST):
            sums[back:] += np.where(place[back:] >= back, self.surprisal[:-back], 0.0)
        return np.maximum.reduceat(sums, np.cumsum(lengths) - lengths)

    def _add(self, lengths: np.ndarray) -> np.ndarray:
        """float64: sums of runs of `surprisal`, added from left to right."""
        return np.bincount(np.repeat(np.arange(len(lengths)), lengths), self.surprisal, minlength=len(lengths))


@dataclass(frozen=True)
class Lines:
    """The lines of a text and what each costs."""

    data: str | bytes
    starts: np.ndarray
    """int64 (N,), in characters (bytes) of the text."""
    lengths: np.ndarray
    """int64 (N,), with the line end."""
    bits: np.ndarray
    """float64 (N,)."""
    bursts: np.ndarray
    """float64 (N,), the most bits that `BURST` neighbouring characters of the line cost, its line end counted."""

    def __len__(self) -> int:
        return len(self.bits)

    def text(self, index: int) -> str:
        """The line, without its line end."""
        line = self.data[self.starts[index] : self.starts[index] + self.lengths[index]]
        return (line if isinstance(line, str) else line.decode("utf-8", "replace")).removesuffix("\n")

    def top(self, count: int) -> np.ndarray:
        """Indices of the `count` lines with the dearest bursts, dearest first; ties in their order.

        What is odd about a line is mostly in one place; a mean over the line hides it in a long one, and is high for
        a line that is only rare. Blank lines are left out: a model of records has seen none.
        """
        order = np.argsort(-self.bursts, kind="stable")
        return order[(_tokens(self.data)[self.starts] != ord("\n"))[order]][:count]


def _tokens(data: str | bytes) -> np.ndarray:
    if isinstance(data, bytes):
        return np.frombuffer(data, dtype=np.uint8)
    return np.frombuffer(data.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def widths(text: str) -> np.ndarray:
    """Bytes that each character was, of a text decoded with "surrogateescape"."""
    points = _tokens(text)
    widths = 1 + (points >= 0x80).astype(np.int64) + (points >= 0x800) + (points >= 0x10000)
    return np.where((points >= 0xDC80) & (points <= 0xDCFF), 1, widths)


def perplexity(bits_per_char: float) -> float:
    """2 to the bits per character; infinite rather than too large."""
    return 2.0**bits_per_char if bits_per_char < 1000 else math.inf


def score(model: LanguageModel, text: str | bytes, *, records: bool | None = None) -> Score:
    """Cost of `text` under `model`, in bits.

    Args:
        text: str, normalised as the model's corpus was; or bytes, for a model of bytes.
        records: score each line by itself, from a zero state, after a line end and with its own. None: if the model is
            one of records.
    Returns:
        a Score: the surprisal of every character, their sum and mean, the perplexity, the lines.
    Raises:
        ValueError: an empty text, a model without a vocabulary, or records of a model that knows no line end.
    Source: Shannon (1948); the length that a coder would emit.
    """
    return score_many(model, [text], records=records)[0]


def score_many(
    model: LanguageModel, texts: Sequence[str | bytes], *, records: bool | None = None, names: Sequence[str] = ()
) -> list[Score]:
    """`score` of each text, all read side by side. `names` are for messages."""
    vocabulary = model.vocabulary
    if vocabulary is None:
        raise ValueError("the model has no vocabulary; train it with fit, or set model.vocabulary")
    by_line = model.records if records is None else records
    datas, parts = [], []
    for index, text in enumerate(texts):
        if not len(text):
            raise ValueError(f"{names[index] + ': ' if names else ''}nothing to score: the text is empty")
        data = prepare(text, model.normalisation, by_line)
        if vocabulary.kind == "bytes" and isinstance(data, str):
            data = data.encode("utf-8", "surrogatepass")
        datas.append(data)
        parts.append(vocabulary.encode(data))
    bits = record_bits(model, parts) if by_line else text_bits(model, parts)
    return [Score(d, b, vocabulary.unknown(i), by_line) for d, b, i in zip(datas, bits, parts, strict=True)]


def prepare(text: str | bytes, normalisation: str, records: bool) -> str | bytes:
    """`text` as a model reads it."""
    if records:
        return record_lines(text, normalisation)
    return normalise(text, normalisation) if isinstance(text, str) else text


def text_bits(model: LanguageModel, parts: Sequence[np.ndarray]) -> list[np.ndarray]:
    """float64 (T,) for each of the texts' ids (T,): bits of every token, the first log2 V, one carried state each."""
    if not parts:
        return []
    ids, lengths = np.concatenate(parts), np.array([len(p) for p in parts])
    starts = np.cumsum(lengths) - lengths
    bits = np.empty(len(ids))
    bits[starts] = math.log2(model.vocab_size)
    bits[1:][_spread(starts, lengths - 1)] = sequence_nats(model, ids, starts, lengths - 1) / math.log(2)
    return np.split(bits, starts[1:])


def record_bits(model: LanguageModel, parts: Sequence[np.ndarray]) -> list[np.ndarray]:
    """float64 (T,) for each of the texts' ids (T,), which end with a line end: each record from a zero state."""
    assert model.vocabulary is not None
    if not parts:
        return []
    end = line_end(model.vocabulary)
    ids = np.concatenate([np.array([end], dtype=parts[0].dtype), *parts])
    bits = sequence_nats(model, ids, *record_spans(ids, end)) / math.log(2)
    return np.split(bits, np.cumsum([len(p) for p in parts])[:-1])


@torch.no_grad()
def sequence_nats(model: LanguageModel, ids: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """-ln p(ids[s + j] | ids[s : s + j]) for each sequence s and j = 1 .. its length, one after another.

    Args:
        ids: (N,) of any integer type. starts, lengths: int64 (R,); start + length < N.
    Returns:
        float64 (sum of lengths,).
    """
    nats, offsets = np.empty(int(lengths.sum())), np.cumsum(lengths) - lengths
    head = model.output
    for block in walk(model, ids, starts, lengths):
        targets = torch.from_numpy(block.take(ids, 1)).to(head.weight.device)
        _, part = kernels.cross_entropy(block.hidden, head.weight, head.bias, targets)
        nats[block.places(offsets)] = part.double().cpu().numpy()[block.counted]
    return nats


@torch.no_grad()
def alternatives(
    model: LanguageModel, ids: np.ndarray, starts: np.ndarray, lengths: np.ndarray, count: int = 5
) -> tuple[np.ndarray, np.ndarray]:
    """The `count` likeliest tokens where `sequence_nats` has a cost, likeliest first.

    Returns:
        tokens: int64 (sum of lengths, count). bits: float32, -log2 of their probabilities.
    """
    count = min(count, model.vocab_size)
    total, offsets = int(lengths.sum()), np.cumsum(lengths) - lengths
    tokens, bits = np.empty((total, count), dtype=np.int64), np.empty((total, count), dtype=np.float32)
    for block in walk(model, ids, starts, lengths):
        logits = kernels.linear(block.hidden, model.output.weight, model.output.bias)
        best, which = torch.log_softmax(logits.float(), -1).topk(count, -1)
        places = block.places(offsets)
        tokens[places] = which.cpu().numpy()[block.counted]
        bits[places] = best.cpu().numpy()[block.counted] / -math.log(2)
    return tokens, bits


@dataclass(frozen=True)
class Block:
    """What one call of the model read: `steps` steps of the sequences `rows`, from step `first` on."""

    rows: np.ndarray
    """(b,), indices of sequences."""
    first: int
    begins: np.ndarray
    """(b,), where in ids each row's first step of this block is read."""
    counted: np.ndarray
    """bool (steps, b): not beyond the row's end."""
    hidden: Tensor
    """(steps, b, H), the last layer's output."""

    def take(self, ids: np.ndarray, ahead: int) -> np.ndarray:
        """int64 (steps, b): ids at these positions, or `ahead` of them; beyond a row's end, anything valid."""
        return _take(ids, self.begins + ahead, len(self.counted))

    def places(self, offsets: np.ndarray) -> np.ndarray:
        """Where the counted entries, step by step, go in an array in which sequence r begins at offsets[r]."""
        steps = np.arange(self.first, self.first + len(self.counted))[:, None]
        return (offsets[self.rows] + steps)[self.counted]


def walk(model: LanguageModel, ids: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> Iterator[Block]:
    """Read all sequences from zero states, side by side and longest first, a block of steps at a time."""
    training, device = model.training, next(model.parameters()).device
    model.eval()
    order = np.argsort(-lengths, kind="stable")
    most = max(1, _STATE // model.layer.hidden_size)
    for group in range(0, len(order), most):
        rows, first, state = order[group : group + most], 0, None
        longest = int(lengths[rows[0]])
        while first < longest:
            rows = rows[lengths[rows] > first]
            steps = min(longest - first, _STEPS, max(1, _TOKENS // len(rows)))
            begins = starts[rows] + first
            with torch.no_grad():
                inputs = torch.from_numpy(_take(ids, begins, steps)).to(device)
                hidden, state = model.layer(inputs, first_rows(state, len(rows)))
            counted = np.arange(first, first + steps)[:, None] < lengths[rows]
            yield Block(rows, first, begins, counted, hidden)
            first += steps
    model.train(training)


def first_rows(state: ModelState | None, count: int) -> ModelState | None:
    """The state (L, B, H) of the first `count` rows of a batch."""
    if state is None:
        return None
    if isinstance(state, tuple):
        return state[0][:, :count].contiguous(), state[1][:, :count].contiguous()
    return state[:, :count].contiguous()


def _take(ids: np.ndarray, begins: np.ndarray, steps: int) -> np.ndarray:
    positions = begins + np.arange(steps)[:, None]
    return ids[np.minimum(positions, len(ids) - 1)].astype(np.int64)


def _spread(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """starts[0] .. starts[0] + lengths[0] - 1, then those of the next, ..."""
    offsets = np.cumsum(lengths) - lengths
    return np.repeat(starts - offsets, lengths) + np.arange(int(lengths.sum()))
