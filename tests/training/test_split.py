"""Split: each token in one part, and the parts that a loop over records finds."""

from __future__ import annotations

import numpy as np
import pytest

import elman
from elman.batches import shuffled
from elman.training.data import SHORTEST, Spans, Split

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


@pytest.mark.parametrize(
    ("length", "fraction", "blocks", "expected"),
    [(50_000, 0.1, 16, 5), (50_000, 0.5, 16, 16), (50_000, 0.99, 3, 3), (400_000, 0.05, 16, 16), (50_000, 0.1, 1, 1),
     (50_000, 0.03, 16, 1), (50_000, 0.0, 16, 1), (50_001, 0.10002, 4, 4)],
)  # fmt: skip
def test_blocks_are_spread_over_a_text(length, fraction, blocks, expected):
    ids = np.arange(length)
    split = Split.of(ids, reading_of(False), fraction, 7, blocks)
    train, held_out = split.train.of(ids), split.held_out.of(ids)
    assert len(held_out) == int(length * fraction)
    assert sorted([*train.tolist(), *held_out.tolist()]) == ids.tolist()
    lengths = split.held_out.lengths
    assert len(lengths) == expected
    if expected > 1:
        assert lengths.min() >= SHORTEST
        assert lengths.max() - lengths.min() <= 1
        starts = split.held_out.starts
        assert np.diff(starts).min() >= length // expected - 1  # as far from one another
        assert starts[0] > 0
        assert starts[-1] + lengths[-1] < length  # the end is learned
        assert (split.train.lengths > 0).all()


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
