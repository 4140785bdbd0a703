"""Split: the part of a text that is trained on and the part held out; Text and Records: batches and costs of the two.

Blocks of a text are held out, spread evenly over it, or its end. Of records some are, drawn by the seed, since a file
of lines is often sorted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .. import batches
from ..corpora import Corpus, release
from ..errors import InputError
from ..model import LanguageModel
from ..recipes.recipe import Recipe
from ..scoring import sequence_nats, text_nats
from ..text import Reading, Vocabulary, record_spans

SHORTEST = 1000
"""Tokens of a block that is held out, at least: at its beginning the model does not know what was before it."""
_IDS = 1 << 24  # of a mapped text in memory at once
_FEW = 256  # pieces
_RELEASE = 256  # batches between the times at which memory of a mapped text is let go
_PARTITIONS = {"sequential": batches.sequential_batches, "random": batches.random_batches}


def check_reading(model: LanguageModel, corpus: Corpus) -> None:
    """Raises InputError if the corpus was not read as the model reads: it would learn from what it never sees later."""
    reading = model.reading
    if corpus.records != reading.records:
        what = ("records", "no records") if corpus.records else ("one text", "records")
        raise InputError(f"the corpus was read as {what[0]}, and the model reads {what[1]}; build the model for it")
    if corpus.normalisation != reading.normalisation:
        raise InputError(
            f"the corpus was read with normalisation {corpus.normalisation!r}, and the model reads with "
            f"{reading.normalisation!r}; give load_corpus that normalisation"
        )


class Spans(NamedTuple):
    """Pieces of an array of ids: a text is one, or more, between blocks; each record is one, with its line end."""

    starts: np.ndarray
    """int64 (R,)."""
    lengths: np.ndarray
    """int64 (R,)."""

    def of(self, ids: np.ndarray) -> np.ndarray:
        """The ids in these spans, in the order of the text; a view, if it is one span."""
        if len(self.starts) == 1:
            return ids[self.starts[0] : self.starts[0] + self.lengths[0]]
        order = np.argsort(self.starts)
        starts, lengths = self.starts[order], self.lengths[order]
        if 0 < len(starts) <= _FEW:  # without an index for each id
            return np.concatenate([ids[a : a + n] for a, n in zip(starts.tolist(), lengths.tolist(), strict=True)])
        skipped = starts - (np.cumsum(lengths) - lengths)
        return ids[np.repeat(skipped, lengths) + np.arange(lengths.sum())]


@dataclass(frozen=True, eq=False)
class Split:
    """Which tokens of a corpus are trained on and which are held out.

    Attributes:
        ids: int (N,), of the whole corpus; of records, the whole ones.
        train, held_out: where each part is in `ids`.
    """

    ids: np.ndarray
    train: Spans
    held_out: Spans

    @classmethod
    def of(
        cls,
        ids: np.ndarray,
        reading: Reading,
        val_fraction: float,
        seed: int,
        val_blocks: int = 1,
        last_tokens: int | None = None,
    ) -> Split:
        """The split that a training makes.

        Args:
            ids: int (N,), without the line end that is read before a text.
            val_fraction: the share to hold out, of the tokens of a text or of the number of records; 0..1.
            seed: the recipe's; it draws which records are held out.
            val_blocks: so many blocks of a text are held out, spread evenly over it; 1: its end. There are fewer where
                they would be shorter than `SHORTEST` tokens.
            last_tokens: what is before so many is in neither part; of records, whole ones are kept. None: nothing is.
        Raises:
            InputError: there is no whole record.
        """
        end = reading.line_end if reading.records else -1
        if last_tokens is not None and last_tokens < len(ids):
            cut = len(ids) - last_tokens
            if reading.records and ids[cut - 1] != end:
                cut += int(np.argmax(ids[cut:] == end)) + 1
            ids = ids[cut:]
        if not reading.records:
            size = int(len(ids) * val_fraction)
            starts, ends = _blocks(len(ids), size, max(1, min(val_blocks, size // SHORTEST)))
            held_out = Spans(starts, ends - starts)
            between = np.concatenate([[0], ends]), np.concatenate([starts, [len(ids)]])
            kept = between[1] > between[0] if len(starts) > 1 else np.array([True, False])
            return cls(ids, Spans(between[0][kept], (between[1] - between[0])[kept]), held_out)
        if len(ids) and ids[-1] != end:  # cut by max_chars
            ids = ids[: len(ids) - int(np.argmax(ids[::-1] == end))] if end in ids else ids[:0]
        if not len(ids):
            raise InputError("the text is too short: not one whole record to train on")
        starts, lengths = record_spans(reading.primed(ids), end)
        order = batches.shuffled(len(starts), seed)
        cut = len(order) - int(len(order) * val_fraction)
        return cls(ids, *(Spans(starts[rows], lengths[rows]) for rows in (order[:cut], order[cut:])))


def _blocks(length: int, size: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends, int64 (count,), of blocks of `size` tokens in all: each amid an equal part of a text of `length`
    tokens; a single one at its end."""
    if count == 1:
        return np.array([length - size]), np.array([length])
    number = np.arange(count)
    sizes = size // count + (number < size % count)
    starts = (2 * number + 1) * length // (2 * count) - sizes // 2
    return starts, starts + sizes


class Text:
    """A text to train on, in windows."""

    def __init__(self, split: Split, recipe: Recipe) -> None:
        self.recipe, self._train, self._val = recipe, split.train.of(split.ids), split.held_out.of(split.ids)
        cut = len(self._train)
        self._ratio: float | None = None
        batches.check_fits(cut, recipe.batch_size, recipe.seq_length)
        steps = batches.num_batches(cut, recipe.batch_size, recipe.seq_length)
        self.size = steps * recipe.batch_size * recipe.seq_length
        """Characters that every epoch trains on at least."""
        self.held_out = len(self._val)
        """Tokens to measure on."""
        self.blocks: int | None = len(split.held_out.starts)
        """Blocks of the text that they are; None: they are records."""

    def batches(
        self, epoch: int, within: tuple[int, int] | None = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray, bool]]:
        """Batches; see `record_batches`. within: read only these rows, from and to; the others are zeros."""
        r = self.recipe
        windows = _PARTITIONS[r.partition](self._train, r.batch_size, r.seq_length, r.seed, epoch, within)
        for i, (inputs, targets) in enumerate(windows):
            yield inputs, targets, i == 0 or r.partition == "random"
            if i % _RELEASE == 0:
                release(self._train)

    def held_out_bits(self, model: LanguageModel) -> tuple[float, float] | None:
        """Bits per token and per character; None if nothing is held out."""
        if not len(self._val):
            return None
        whole = math.fsum(nats / math.log(2) for nats in text_nats(model, self._val))
        return whole / len(self._val), whole / self.held_out_characters(model.reading.vocabulary)

    def held_out_characters(self, vocabulary: Vocabulary) -> int:
        """Characters of the tokens to measure on."""
        return vocabulary.characters(self._val)

    def held_out_sequences(self, reading: Reading) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Tokens (N,), and starts and lengths as `scoring.sequence_nats` takes them: the blocks as one text."""
        return reading.primed(self._val), np.zeros(1, np.int64), np.array([len(self._val)])

    def training_ids(self, most: int) -> np.ndarray:
        """The last `most` tokens of the training part."""
        return self._train[-most:]

    def characters_per_token(self, vocabulary: Vocabulary) -> float:
        """Mean number of characters in a token of the training part."""
        if self._ratio is None:
            count = 0
            for first in range(0, len(self._train), _IDS):
                count += vocabulary.characters(self._train[first : first + _IDS])
                release(self._train)
            self._ratio = count / len(self._train)
        return self._ratio


class Records:
    """Records to train on, each a sequence."""

    def __init__(self, split: Split, recipe: Recipe, reading: Reading) -> None:
        # A record after a line end has the place of that line end.
        self.recipe, self._ids = recipe, reading.primed(split.ids)
        self._train, self._val = split.train, split.held_out
        self.blocks: int | None = None
        self.size, self.held_out = int(self._train.lengths.sum()), int(self._val.lengths.sum())

    def batches(
        self, epoch: int, within: tuple[int, int] | None = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray, bool]]:
        """within: of no use here; records are in memory, and their lengths decide the rows."""
        r = self.recipe
        return batches.record_batches(self._ids, *self._train, r.batch_size, r.seq_length, r.seed, epoch)

    def held_out_bits(self, model: LanguageModel) -> tuple[float, float] | None:
        nats = sequence_nats(model, self._ids, *self._val)
        if not len(nats):
            return None
        whole = math.fsum(nats / math.log(2))
        return whole / len(nats), whole / self.held_out_characters(model.reading.vocabulary)

    def held_out_characters(self, vocabulary: Vocabulary) -> int:
        spans = zip(*self._val, strict=True)
        return sum(vocabulary.characters(self._ids[start + 1 : start + length + 1]) for start, length in spans)

    def held_out_sequences(self, reading: Reading) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self._ids, self._val.starts, self._val.lengths

    def training_ids(self, most: int) -> np.ndarray:
        return self._train.of(self._ids[1:])[-most:]

    def characters_per_token(self, vocabulary: Vocabulary) -> float:
        return vocabulary.characters(self._ids) / len(self._ids)
