"""Beam search: the likeliest strings of a length, found by keeping the best few of every length before it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..errors import whole_number
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
    reading, vocabulary = model.reading, model.reading.vocabulary
    ids = reading.primed(reading.prompt(prompt))
    end = reading.line_end if reading.records else -1
    bias = Sampling().bias(vocabulary)
    # W strings: their nats (W,), ids (t, W), and the state after them (L, W, H).
    nats, strings = np.zeros(1), np.empty((0, 1), dtype=np.int64)
    logp, state = _read(model, ids[:, None], None)
    ended: list[tuple[float, tuple[int, ...]]] = []
    for step in range(length):
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
    best = sorted([*ended, *((c, tuple(s)) for c, s in zip(nats, strings.T, strict=True))], key=lambda b: b[0])[:width]
    return [
        Beam(
            vocabulary.decode(np.array(s, dtype=np.int64)).removesuffix("\n" if reading.records else ""),
            float(c) / math.log(2),
        )
        for c, s in best
    ]


def _read(model: Model, ids: np.ndarray, state: ModelState | None) -> tuple[np.ndarray, ModelState]:
    """float64 (W, V) log-probabilities after ids (T, W), and the state."""
    logits, after = model(ids, state)
    return model.log_softmax(logits[-1]).astype(np.float64), after
