"""Beam search: the likeliest strings of a length, found by keeping the best few of every length before it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import InputError, whole_number
from ..model import Model, ModelState, take_rows
from .sampling import Sampling


@dataclass(frozen=True)
class Beam:
    """One string that a beam search found."""

    text: str
    bits: float
    """-log2 of its probability after the prompt, the end of the record included if it has one."""


def beam_search(model: Model, prompt: str = "", length: int = 50, width: int = 10) -> list[Beam]:
    """The likeliest continuations of `prompt` by `length` characters, as far as `width` can see.

    A width of V^(length-1) misses nothing; a width of 1 is greedy decoding. A model of records may end earlier, with
    its record, and such a string competes with its end's cost counted.

    Args:
        prompt: as in `generate`.
        length: characters (bytes, for a model of bytes), at least 0.
        width: strings kept after each step, at least 1; ties go to the ids that come first.
    Returns:
        up to `width` of them, likeliest first. <unk> is never written, and its probability is given to no other.
    Raises:
        InputError: a width or length out of range.
    """
    width, length = whole_number("width", width, 1), whole_number("length", length)
    return [Beam(*written(model, one)) for one in likeliest_ids(model, model.reading.prompt(prompt), length, width)]


def written(model: Model, found: tuple[float, tuple[int, ...]]) -> tuple[str, float]:
    """The text without a record's end, and bits, of nats and ids that `likeliest_ids` found."""
    text = model.reading.vocabulary.decode(np.array(found[1], dtype=np.int64))
    return text.removesuffix("\n" if model.reading.records else ""), float(found[0]) / math.log(2)


def likeliest_ids(
    model: Model, prompt: np.ndarray, length: int, width: int, going_on: Callable[[], None] = lambda: None
) -> list[tuple[float, tuple[int, ...]]]:
    """`beam_search` after the ids of a prompt, (T,): nats and ids of each string.

    Args:
        going_on: called before each step; what it raises ends the search.
    """
    reading, vocabulary, ids = model.reading, model.reading.vocabulary, model.reading.primed(prompt)
    end = reading.line_end if reading.records else -1
    bias = Sampling().bias(vocabulary)
    # W strings: their nats (W,), ids (t, W), and the state after them (L, W, H).
    nats, strings = np.zeros(1), np.empty((0, 1), dtype=np.int64)
    logp, state = _read(model, ids[:, None], None)
    ended: list[tuple[float, tuple[int, ...]]] = []
    for step in range(length):
        going_on()
        cost = nats[:, None] - (logp if bias is None else logp + bias)
        order = np.argsort(cost, axis=None, kind="stable")[: 2 * width]  # at most one end for each string
        order = order[np.isfinite(cost.ravel()[order])]
        rows, chosen = np.divmod(order, model.vocab_size)
        grown, costs = np.vstack((strings[:, rows], chosen)), cost.ravel()[order]
        over = chosen == end
        ended += [(c, tuple(s)) for c, s in zip(costs[over], grown[:, over].T, strict=True)]
        ended = sorted(ended)[:width]
        # The cost of an unfinished string only grows: it is dropped where `width` finished ones cost less already.
        keep = np.flatnonzero(~over)[:width]
        if len(ended) == width:
            keep = keep[costs[keep] < ended[-1][0]]
        rows, nats, strings = rows[keep], costs[keep], grown[:, keep]
        if not len(keep):
            break
        if step + 1 < length:
            logp, state = _read(model, strings[-1:], take_rows(state, rows))
    return sorted([*ended, *((c, tuple(s)) for c, s in zip(nats, strings.T, strict=True))], key=lambda b: b[0])[:width]


def _read(model: Model, ids: np.ndarray, state: ModelState | None) -> tuple[np.ndarray, ModelState]:
    """float64 (W, V) log-probabilities after ids (T, W), and the state."""
    logits, after = model(ids, state)
    logp = model.log_softmax(logits[-1]).astype(np.float64)
    if np.isnan(logp).any():
        raise InputError("the model's logits are not numbers; its training has diverged")
    return logp, after
