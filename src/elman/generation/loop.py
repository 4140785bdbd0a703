"""Streams: texts that grow side by side; the one loop over characters, here or in the kernel.

A draw is a function of (seed, stream, step) alone, and a choice of the logits and that draw alone, so a text does not
depend on what else is in the batch, on how it is cut into calls, or on where the loop runs. Rows join and leave between
two calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import philox
from ..kernels import State
from ..model import Model
from ..text import Vocabulary
from .choose import choose_word
from .sampling import Sampling

_AHEAD = 64
"""Words that a row draws at once: a call for each step and row would cost more than the draws themselves."""


class Row:
    """How one text is drawn: its settings, its draws, and what it has already.

    Args:
        prompt: int64 (T,), ids that the text has before the first step.
        number: the stream of draws under the sampling's seed.
        like: a row of the same sampling, whose bias it shares.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        sampling: Sampling,
        prompt: np.ndarray,
        number: int = 0,
        like: Row | None = None,
    ) -> None:
        self.sampling, self.bias = sampling, like.bias if like else sampling.bias(vocabulary)
        self.numbers = like.numbers if like else sampling.numbers
        self._stream = philox.generator(sampling.seed, philox.DRAW + number)
        self._drawn, self._at = np.zeros(0, dtype=np.uint64), 0
        self.seen = self.counts = None
        if sampling.repetition_penalty != 1:
            self.seen = np.zeros(len(vocabulary), dtype=bool)
            self.seen[prompt] = True
        if sampling.counts:
            self.counts = np.zeros(len(vocabulary), dtype=np.int64)

    def words(self, count: int) -> np.ndarray:
        """uint64 (count,): the next words of the row's stream."""
        at, end = self._at, self._at + count
        if end > len(self._drawn):
            more = self._stream.random_raw(max(_AHEAD, end - len(self._drawn)))
            self._drawn, at, end = np.concatenate([self._drawn[at:], more]), 0, count
        self._at = end
        return self._drawn[at:end]


class Streams:
    """B texts that grow side by side, from one prompt each: where the loop over characters is.

    Args:
        prompts: int64 (T, B), without the `Reading.start` that is read before them. T may be 0.
        sampling: its seed and a stream's number give the stream's draws.
        first: number of the first stream, so a batch can be a part of a larger one.
    """

    def __init__(
        self, model: Model, prompts: np.ndarray | None = None, sampling: Sampling | None = None, first: int = 0
    ) -> None:
        prompts = np.zeros((1, 0), dtype=np.int64) if prompts is None else prompts
        self._decoder, vocabulary = model.decoder(prompts.shape[1]), model.reading.vocabulary
        self.rows: list[Row] = []
        if prompts.shape[1]:
            self._decoder.read(model.reading.primed(prompts))
            ids = prompts.T if len(prompts) else [np.zeros(0, dtype=np.int64)] * prompts.shape[1]
            self.rows = [Row(vocabulary, sampling or Sampling(), row, first + b) for b, row in enumerate(ids)]
        self._gather()

    def join(self, rows: Sequence[Row], state: State, logits: np.ndarray) -> None:
        """Further rows, after those here, which have read their prompts.

        Args:
            state: (L, b, H) each. logits: float32 (b, V), after the last id that each has read.
        """
        self._scatter()
        here, self.rows = self._decoder, [*self.rows, *rows]
        both = tuple(np.concatenate(pair, axis=1) for pair in zip(here.state, state, strict=True))
        self._decoder = here.like(both, np.concatenate((here.logits, logits)))
        self._gather()

    def keep(self, places: Sequence[int]) -> None:
        """Let all rows but those at these places leave."""
        self._scatter()
        here, self.rows = self._decoder, [self.rows[b] for b in places]
        at = np.array(places, dtype=np.int64)
        self._decoder = here.like(tuple(part[:, at] for part in here.state), here.logits[at])
        self._gather()

    def _gather(self) -> None:
        """The rows' settings, in the kernel's form."""
        rows, shape = self.rows, (len(self.rows), self._decoder.logits.shape[1])
        self._each = np.array([row.numbers for row in rows], dtype=np.float64).reshape(-1, 7)
        self._bias = _stacked([row.bias for row in rows], shape, np.float32)
        self._seen = _stacked([row.seen for row in rows], shape, bool)
        self._counts = _stacked([row.counts for row in rows], shape, np.int64)

    def _scatter(self) -> None:
        """Give the rows back what the kernel has changed."""
        if self._seen is None and self._counts is None:
            return
        for b, row in enumerate(self.rows):
            if row.seen is not None:
                row.seen[:] = self._seen[b]  # type: ignore[index]
            if row.counts is not None:
                row.counts[:] = self._counts[b]  # type: ignore[index]

    def advance(self, steps: int, trace: np.ndarray | None = None) -> np.ndarray:
        """The next int64 (steps, B) ids. Many short calls give what one long one does.

        Args:
            trace: float32 (steps, B, V), receives the logits before each choice.
        """
        native = getattr(self._decoder, "generate", None)
        none = np.zeros(steps, dtype=np.uint64)
        drawn = [row.words(steps) if row.sampling.temperature != 0 else none for row in self.rows]
        words = np.ascontiguousarray(np.array(drawn, dtype=np.uint64).reshape(len(self.rows), steps).T)
        if native is not None and all(row.sampling.choice == "floats" for row in self.rows):
            return native(
                steps,
                self._bias,
                1.0,
                philox.unit(words),
                each=self._each,
                seen=self._seen,
                counts=self._counts,
                trace=trace,
            )
        made = np.empty(words.shape, dtype=np.int64)
        for t in range(steps):
            if trace is not None:
                trace[t] = self._decoder.logits
            for b, row in enumerate(self.rows):
                made[t, b] = choose_word(self._shape(b), row.sampling, int(words[t, b]))
            for table, taken in ((self._seen, True), (self._counts, 1)):
                if table is not None:
                    table[np.arange(len(self.rows)), made[t]] += taken
            self._decoder.read(made[t : t + 1])
        return made

    def _shape(self, b: int) -> np.ndarray:
        """float32 (V,): the logits of stream b after bias and penalties."""
        sampling, logits = self.rows[b].sampling, self._decoder.logits[b]
        if self._bias is not None:
            logits = logits + self._bias[b]
        if sampling.counts and self._counts is not None:
            counts = self._counts[b].astype(np.float32)
            taken = np.float32(sampling.presence_penalty) + np.float32(sampling.frequency_penalty) * counts
            logits = np.where(counts > 0, logits - taken, logits)
        penalty = np.float32(sampling.repetition_penalty)
        if penalty == 1 or self._seen is None:
            return logits
        return np.where(self._seen[b], np.where(logits > 0, logits / penalty, logits * penalty), logits)


def generate_ids(model: Model, ids: np.ndarray, length: int, sampling: Sampling, num_samples: int = 1) -> np.ndarray:
    """int64 (length, num_samples) to follow the prompt ids (T,), stream b drawing from (sampling.seed, b)."""
    prompts = np.repeat(ids.astype(np.int64)[:, None], num_samples, axis=1)
    return Streams(model, prompts, sampling).advance(length)


def _stacked(parts: Sequence[np.ndarray | None], shape: tuple[int, int], dtype: Any) -> np.ndarray | None:
    """(B, V): each row's part, zeros where it has none; None: no row has one."""
    first = next((part for part in parts if part is not None), None)
    if first is None:
        return None
    if all(part is first for part in parts):  # such as what the model never writes, of rows without a bias of their own
        return np.repeat(first[None], len(parts), axis=0)
    found = np.zeros(shape, dtype=dtype)
    for b, part in enumerate(parts):
        if part is not None:
            found[b] = part
    return found
