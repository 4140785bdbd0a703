"""What an epoch trains on and what is held out of it: a text, whose end is, or records, of which some are."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from .. import batches
from ..corpora import release
from ..errors import InputError
from ..model import LanguageModel
from ..recipes.recipe import Recipe
from ..scoring import sequence_nats, text_nats
from ..text import Reading, Vocabulary, record_spans

_IDS = 1 << 24  # of a mapped text in memory at once
_RELEASE = 256  # batches between the times at which memory of a mapped text is let go
_PARTITIONS = {"sequential": batches.sequential_batches, "random": batches.random_batches}


class Text:
    """A text to train on; its end is held out, cut off before there are windows."""

    def __init__(self, ids: np.ndarray, recipe: Recipe) -> None:
        cut = len(ids) - int(len(ids) * recipe.val_fraction)
        self.recipe, self._train, self._val = recipe, ids[:cut], ids[cut:]
        self._ratio: float | None = None
        batches.check_fits(cut, recipe.batch_size, recipe.seq_length)
        steps = batches.num_batches(cut, recipe.batch_size, recipe.seq_length)
        self.size = steps * recipe.batch_size * recipe.seq_length
        """Characters that every epoch trains on at least."""
        self.held_out = len(self._val)
        """Tokens to measure on."""

    def batches(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray, bool]]:
        """As `record_batches`."""
        r = self.recipe
        windows = _PARTITIONS[r.partition](self._train, r.batch_size, r.seq_length, r.seed, epoch)
        for i, (inputs, targets) in enumerate(windows):
            yield inputs, targets, i == 0 or r.partition == "random"
            if i % _RELEASE == 0:
                release(self._train)

    def held_out_bits(self, model: LanguageModel) -> tuple[float, float] | None:
        """Bits per token and per character; None if nothing is held out."""
        if not len(self._val):
            return None
        whole = math.fsum(nats / math.log(2) for nats in text_nats(model, self._val))
        return whole / len(self._val), whole / model.reading.vocabulary.characters(self._val)

    def characters_per_token(self, vocabulary: Vocabulary) -> float:
        """Of what is trained on."""
        if self._ratio is None:
            count = 0
            for first in range(0, len(self._train), _IDS):
                count += vocabulary.characters(self._train[first : first + _IDS])
                release(self._train)
            self._ratio = count / len(self._train)
        return self._ratio


class Records:
    """Records to train on; those held out are drawn by the seed, since a file of lines is often sorted."""

    def __init__(self, ids: np.ndarray, recipe: Recipe, reading: Reading) -> None:
        end = reading.line_end
        if len(ids) and ids[-1] != end:  # cut by max_chars
            ids = ids[: len(ids) - int(np.argmax(ids[::-1] == end))] if end in ids else ids[:0]
        if not len(ids):
            raise InputError("the text is too short: not one whole record to train on")
        self.recipe, self._ids = recipe, reading.primed(ids)
        starts, lengths = record_spans(self._ids, end)
        order = batches.shuffled(len(starts), recipe.seed)
        cut = len(order) - int(len(order) * recipe.val_fraction)
        self._train, self._val = ((starts[rows], lengths[rows]) for rows in (order[:cut], order[cut:]))
        self.size, self.held_out = int(self._train[1].sum()), int(self._val[1].sum())

    def batches(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray, bool]]:
        r = self.recipe
        return batches.record_batches(self._ids, *self._train, r.batch_size, r.seq_length, r.seed, epoch)

    def held_out_bits(self, model: LanguageModel) -> tuple[float, float] | None:
        nats = sequence_nats(model, self._ids, *self._val)
        if not len(nats):
            return None
        whole, vocabulary = math.fsum(nats / math.log(2)), model.reading.vocabulary
        spans = zip(*self._val, strict=True)
        size = sum(vocabulary.characters(self._ids[start + 1 : start + length + 1]) for start, length in spans)
        return whole / len(nats), whole / size

    def characters_per_token(self, vocabulary: Vocabulary) -> float:
        return vocabulary.characters(self._ids) / len(self._ids)
