"""Split: each token in one part, and the parts that a loop over records finds."""

from __future__ import annotations

import numpy as np
import pytest

import elman
from elman.batches import shuffled
from elman.training.data import Spans, Split

TEXT = "".join(f"{'ab' * (i % 5)}{i}\n" for i in range(41))


def reading_of(records):
    return elman.Corpus("t", TEXT, "none", "here", records).reading()


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 0.99])
def test_a_text_ends_with_what_is_held_out(fraction):
    reading = reading_of(False)
    ids = reading.vocabulary.encode(TEXT)
    split = Split.of(ids, reading, fraction, 7)
    train, held_out = split.train.of(split.ids), split.held_out.of(split.ids)
    assert len(held_out) == int(len(ids) * fraction)
    assert reading.vocabulary.decode(train) + reading.vocabulary.decode(held_out) == TEXT
    assert train.base is ids or train.base is ids.base  # a mapped text is not read


@pytest.mark.parametrize("unfinished", ["", "z", "half a record"])
@pytest.mark.parametrize("seed", [0, 3])
def test_records_are_drawn_by_the_seed(unfinished, seed):
    reading = reading_of(True)
    split = Split.of(reading.vocabulary.encode(TEXT + unfinished), reading, 0.3, seed)
    lines = TEXT.splitlines(keepends=True)
    held_out = {int(i) for i in shuffled(len(lines), seed)[len(lines) - int(0.3 * len(lines)) :]}
    for spans, rows in ((split.train, set(range(len(lines))) - held_out), (split.held_out, held_out)):
        assert reading.vocabulary.decode(spans.of(split.ids)) == "".join(lines[i] for i in sorted(rows))


def test_spans_are_slices():
    ids = np.arange(50)
    spans = Spans(np.array([30, 4, 11]), np.array([5, 0, 7]))
    assert spans.of(ids).tolist() == [*range(11, 18), *range(30, 35)]
    assert Spans(np.zeros(0, int), np.zeros(0, int)).of(ids).tolist() == []
