"""Cost of sequences of ids, read side by side, sorted by length, in as few calls of the model as memory allows.

Sums are exact: no order shows in them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .. import kernels
from ..model import Model, ModelState, take_rows
from ..text import record_spans

_STATE = 1 << 15  # most sequences side by side times hidden units: the state then stays in the cache
_TOKENS = 1 << 14  # most steps times rows in a call: bounds memory, and does not change a bit of the result
_VALUES = 1 << 20  # the same, times hidden units
_STEPS = 4096  # most steps in a call, for a single row
_LOGITS = 1 << 22  # most logits at once

Measure = Callable[[Model, np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""A function like `sequence_nats`."""


def text_bits(model: Model, parts: Sequence[np.ndarray], measure: Measure | None = None) -> list[np.ndarray]:
    """float64 (T,) for each of the texts' ids (T,): bits of every token, one carried state each."""
    return _of_texts(model, parts, measure or sequence_nats)


def text_entropies(model: Model, parts: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Like `text_bits`: the entropy, in bits, of the distribution from which each token is drawn."""
    return _of_texts(model, parts, sequence_entropies)


def _of_texts(model: Model, parts: Sequence[np.ndarray], measure: Measure) -> list[np.ndarray]:
    if not parts:
        return []
    ids, lengths = np.concatenate([model.reading.primed(part) for part in parts]), np.array([len(p) for p in parts])
    ends = np.cumsum(lengths)
    bits = measure(model, ids, ends - lengths + np.arange(len(parts)), lengths) / math.log(2)
    return np.split(bits, ends[:-1])


def text_nats(model: Model, ids: np.ndarray) -> Iterator[float]:
    """The cost of every token of one text, in order, a block of them in memory at a time."""
    before, state = np.array([model.reading.start]), None
    for first in range(0, len(ids), _STEPS):
        following = ids[first : first + _STEPS].astype(np.int64)
        _, nats, state = model.loss(np.append(before, following[:-1])[:, None], following[:, None], state)
        before = following[-1:]
        yield from nats[:, 0].astype(np.float64).tolist()


def record_bits(model: Model, parts: Sequence[np.ndarray], measure: Measure | None = None) -> list[np.ndarray]:
    """float64 (T,) for each of the texts' ids (T,), which end with a line end: each record from a zero state."""
    return _of_records(model, parts, measure or sequence_nats)


def record_entropies(model: Model, parts: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Like `record_bits`: the entropy, in bits, of the distribution from which each token is drawn."""
    return _of_records(model, parts, sequence_entropies)


def _of_records(model: Model, parts: Sequence[np.ndarray], measure: Measure) -> list[np.ndarray]:
    if not parts:
        return []
    end = model.reading.line_end
    ids = model.reading.primed(np.concatenate(parts))
    bits = measure(model, ids, *record_spans(ids, end)) / math.log(2)
    return np.split(bits, np.cumsum([len(p) for p in parts])[:-1])


@dataclass(eq=False)
class Carry:
    """The state in which the model goes on with a text that comes in pieces; None: at its beginning."""

    state: ModelState | None = None


def sequence_nats(
    model: Model, ids: np.ndarray, starts: np.ndarray, lengths: np.ndarray, carry: Carry | None = None
) -> np.ndarray:
    """-ln p(ids[s + j] | ids[s : s + j]) for each sequence s and j = 1 .. its length, one after another.

    Args:
        ids: (N,) of any integer type. starts, lengths: int64 (R,); start + length < N.
        carry: where a single sequence goes on from, and is left.
    Returns:
        float64 (sum of lengths,).
    """
    nats, offsets = np.empty(int(lengths.sum())), np.cumsum(lengths) - lengths
    for block in walk(model, ids, starts, lengths, _nats(model), carry=carry):
        nats[block.places(offsets)] = block.values[block.counted]
    return nats


def sequence_entropies(
    model: Model, ids: np.ndarray, starts: np.ndarray, lengths: np.ndarray, carry: Carry | None = None
) -> np.ndarray:
    """Entropy of the distribution, in nats, at each cost of `sequence_nats`: the expected cost."""
    nats, offsets = np.empty(int(lengths.sum())), np.cumsum(lengths) - lengths
    for block in walk(model, ids, starts, lengths, _logits(model), _LOGITS // model.vocab_size, carry):
        likely = model.log_softmax(block.values[block.counted]).astype(np.float32)
        terms = kernels.exp(likely).astype(np.float64) * likely
        nats[block.places(offsets)] = -np.add.reduce(np.ascontiguousarray(terms.T), axis=0)  # token by token: one order
    return nats


def alternatives(
    model: Model, ids: np.ndarray, starts: np.ndarray, lengths: np.ndarray, count: int = 5
) -> tuple[np.ndarray, np.ndarray]:
    """The `count` likeliest tokens where `sequence_nats` has a cost, likeliest first.

    Returns:
        tokens: int64 (sum of lengths, count). bits: float32, -log2 of their probabilities.
    """
    count = min(count, model.vocab_size)
    total, offsets = int(lengths.sum()), np.cumsum(lengths) - lengths
    tokens, bits = np.empty((total, count), dtype=np.int64), np.empty((total, count), dtype=np.float32)
    for block in walk(model, ids, starts, lengths, _logits(model), _LOGITS // model.vocab_size):
        places, likely = block.places(offsets), model.log_softmax(block.values[block.counted]).astype(np.float32)
        tokens[places] = _largest(likely, count)
        bits[places] = np.take_along_axis(likely, tokens[places], -1) / np.float32(-math.log(2))
    return tokens, bits


Read = Callable[[np.ndarray, np.ndarray, ModelState | None], tuple[np.ndarray, ModelState]]
"""A function of ids (steps, b), the ids that follow each, and a state: values (steps, b, ...), and the state after."""


def _nats(model: Model) -> Read:
    """Cost of the ids that follow, (steps, b)."""
    return lambda ids, following, state: model.loss(ids, following, state)[1:]


def _logits(model: Model) -> Read:
    """(steps, b, V)."""
    return lambda ids, _, state: model(ids, state)


@dataclass(frozen=True, eq=False)
class Block:
    """Part of the ids that one call of the model reads: `steps` steps of the sequences `rows`, from step `first` on."""

    rows: np.ndarray
    """(b,), indices of sequences."""
    first: int
    counted: np.ndarray
    """bool (steps, b): not beyond the row's end."""
    values: np.ndarray
    """(steps, b, ...), what the call gave; beyond a row's end, anything."""

    def places(self, offsets: np.ndarray) -> np.ndarray:
        """Positions of the counted entries, step by step, in an array in which sequence r begins at offsets[r]."""
        steps = np.arange(self.first, self.first + len(self.counted))[:, None]
        return (offsets[self.rows] + steps)[self.counted]


def walk(
    model: Model,
    ids: np.ndarray,
    starts: np.ndarray,
    lengths: np.ndarray,
    read: Read,
    tokens: int = _TOKENS,
    carry: Carry | None = None,
) -> Iterator[Block]:
    """Read all sequences from zero states, side by side and longest first, a block of steps at a time: about so many
    tokens, at most. With `carry` there is one sequence, which goes on from its state and leaves the last one there."""
    order = np.argsort(-lengths, kind="stable")
    most = max(1, _STATE // model.hidden_size)
    for group in range(0, len(order), most):
        rows, first, state = order[group : group + most], 0, carry.state if carry else None
        longest = int(lengths[rows[0]])
        while first < longest:
            rows = rows[lengths[rows] > first]
            at_once = min(tokens, _TOKENS, _VALUES // model.hidden_size)
            steps = min(longest - first, _STEPS, max(1, at_once // len(rows)))
            begins = starts[rows] + first
            if state is not None:
                state = take_rows(state, slice(len(rows)))
            values, state = read(_take(ids, begins, steps), _take(ids, begins + 1, steps), state)
            counted = np.arange(first, first + steps)[:, None] < lengths[rows]
            yield Block(rows, first, counted, values)
            first += steps
        if carry:
            carry.state = state


def _largest(rows: np.ndarray, count: int) -> np.ndarray:
    """int64 (R, count): the places of the largest of each row (R, V), largest first; ties: lowest place first."""
    rows, places = rows.copy(), np.empty((len(rows), count), dtype=np.int64)
    for k in range(count):
        places[:, k] = rows.argmax(-1)
        np.put_along_axis(rows, places[:, k : k + 1], -np.inf, -1)
    return places


def _take(ids: np.ndarray, begins: np.ndarray, steps: int) -> np.ndarray:
    positions = begins + np.arange(steps)[:, None]
    return ids[np.minimum(positions, len(ids) - 1)].astype(np.int64)
