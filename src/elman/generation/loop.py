"""Streams: texts that grow side by side; the one loop over characters, here or in the kernel.

A draw is a function of (seed, stream, step) alone, and a choice of the logits and that draw alone, so a text does not
depend on what else is in the batch, on how it is cut into calls, or on where the loop runs. Rows join and leave between
two calls.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import philox
from ..kernels import State
from ..model import Model
from ..text import Vocabulary
from .choose import choose_word
from .sampling import Sampling

_AHEAD = 256
"""Words that every row draws at once, at least: a call for each step and row would cost more than the draws."""


class Row:
    """How one text is drawn: its settings and its draws.

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
        self.seen = self.counts = None
        """Tables of the text before its first step, where its settings ask for that."""
        if sampling.repetition_penalty != 1:
            self.seen = np.zeros(len(vocabulary), dtype=bool)
            self.seen[prompt] = True
        if sampling.counts:
            self.counts = np.zeros(len(vocabulary), dtype=np.int64)

    def words(self, count: int) -> np.ndarray:
        """uint64 (count,): the next words of the row's stream; zeros where nothing is drawn."""
        if self.sampling.temperature == 0:
            return np.zeros(count, dtype=np.uint64)
        return self._stream.random_raw(count)


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
        self._words = np.zeros((0, len(self.rows)), dtype=np.uint64)
        """(n, B): drawn, and used by none of the steps yet."""
        self._each, self._floats = _numbers(self.rows), _by_floats(self.rows)
        self._tables = {name: _grown(None, 0, self.rows, name) for name in _TABLES}

    def join(self, rows: Sequence[Row], state: State, logits: np.ndarray) -> None:
        """Further rows, after those here, which have read their prompts.

        Args:
            state: (L, b, H) each. logits: float32 (b, V), after the last id that each has read.
        """
        here, count = self._decoder, len(self.rows)
        both = tuple(np.concatenate(pair, axis=1) for pair in zip(here.state, state, strict=True))
        self._decoder = here.like(both, np.concatenate((here.logits, logits)))
        self.rows = [*self.rows, *rows]
        ahead = len(self._words) if count else 0
        self._words = np.concatenate((self._words[:ahead], _drawn(rows, ahead)), axis=1)
        self._each, self._floats = np.concatenate((self._each, _numbers(rows))), _by_floats(self.rows)
        self._tables = {name: _grown(table, count, rows, name) for name, table in self._tables.items()}

    def keep(self, places: Sequence[int]) -> None:
        """Let all rows but those at these places leave."""
        here, at = self._decoder, np.array(places, dtype=np.int64)
        self._decoder = here.like(tuple(part[:, at] for part in here.state), here.logits[at])
        self.rows = [self.rows[b] for b in places]
        self._floats = _by_floats(self.rows)
        self._words, self._each = np.take(self._words, at, axis=1), self._each[at]
        for name, table in self._tables.items():
            if table is not None:
                needed = any(getattr(row, name) is not None for row in self.rows)
                self._tables[name] = table[at] if needed else None

    def advance(self, steps: int, trace: np.ndarray | None = None) -> np.ndarray:
        """The next int64 (steps, B) ids. Many short calls give what one long one does.

        Args:
            trace: float32 (steps, B, V), receives the logits before each choice.
        """
        if steps > len(self._words):
            more = _drawn(self.rows, max(_AHEAD, steps - len(self._words)))
            self._words = np.concatenate((self._words, more)) if len(self._words) else more
        words, self._words = self._words[:steps], self._words[steps:]
        native = getattr(self._decoder, "generate", None)
        if native is not None and self._floats:
            tables = self._tables
            return native(
                steps,
                tables["bias"],
                1.0,
                philox.unit(words),
                each=self._each,
                seen=tables["seen"],
                counts=tables["counts"],
                trace=trace,
            )
        made = np.empty(words.shape, dtype=np.int64)
        for t in range(steps):
            if trace is not None:
                trace[t] = self._decoder.logits
            for b, row in enumerate(self.rows):
                made[t, b] = choose_word(self._shape(b), row.sampling, int(words[t, b]))
            for name, taken in (("seen", True), ("counts", 1)):
                if (table := self._tables[name]) is not None:
                    table[np.arange(len(self.rows)), made[t]] += taken
            self._decoder.read(made[t : t + 1])
        return made

    def _shape(self, b: int) -> np.ndarray:
        """float32 (V,): the logits of stream b after bias and penalties."""
        sampling, logits = self.rows[b].sampling, self._decoder.logits[b]
        bias, seen, counted = (self._tables[name] for name in ("bias", "seen", "counts"))
        if bias is not None:
            logits = logits + bias[b]
        if sampling.counts and counted is not None:
            counts = counted[b].astype(np.float32)
            taken = np.float32(sampling.presence_penalty) + np.float32(sampling.frequency_penalty) * counts
            logits = np.where(counts > 0, logits - taken, logits)
        penalty = np.float32(sampling.repetition_penalty)
        if penalty == 1 or seen is None:
            return logits
        return np.where(seen[b], np.where(logits > 0, logits / penalty, logits * penalty), logits)


def generate_ids(model: Model, ids: np.ndarray, length: int, sampling: Sampling, num_samples: int = 1) -> np.ndarray:
    """int64 (length, num_samples) to follow the prompt ids (T,), stream b drawing from (sampling.seed, b)."""
    prompts = np.repeat(ids.astype(np.int64)[:, None], num_samples, axis=1)
    return Streams(model, prompts, sampling).advance(length)


_TABLES = {"bias": np.float32, "seen": bool, "counts": np.int64}
"""Tables that a row may have, with a number for each id; the kernel takes (B, V) of each, and changes the last two."""


def _drawn(rows: Sequence[Row], count: int) -> np.ndarray:
    """uint64 (count, B): the next words of every row."""
    words = np.empty((count, len(rows)), dtype=np.uint64)
    for b, row in enumerate(rows) if count else ():
        words[:, b] = row.words(count)
    return words


def _by_floats(rows: Sequence[Row]) -> bool:
    """Whether the kernel can choose for all of them."""
    return all(row.sampling.choice == "floats" for row in rows)


def _numbers(rows: Sequence[Row]) -> np.ndarray:
    """The rows' settings, in the kernel's form."""
    return np.array([row.numbers for row in rows], dtype=np.float64).reshape(-1, 7)


def _grown(table: np.ndarray | None, count: int, rows: Sequence[Row], name: str) -> np.ndarray | None:
    """A table (count, V), and below it the part of each of the rows, zeros for a row that has none; None: nobody has a
    part."""
    parts = [getattr(row, name) for row in rows]
    first = next((part for part in parts if part is not None), None)
    like = first if table is None else table
    if like is None:
        return None
    found = np.zeros((count + len(rows), like.shape[-1]), dtype=_TABLES[name])
    if table is not None:
        found[:count] = table
    for b, part in enumerate(parts, count):
        if part is not None:
            found[b] = part
    return found
