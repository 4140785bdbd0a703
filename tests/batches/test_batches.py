"""The book's two ways to cut a text, on sequences where every value shows its place."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from elman.batches import check_fits, num_batches, random_batches, sequential_batches

IDS = np.arange(2000, dtype=np.uint16)


def test_sequential_rows_go_on_where_they_ended():
    batches = list(sequential_batches(IDS, 4, 7, seed=1, epoch=1))
    assert len(batches) >= num_batches(2000, 4, 7) > 60
    for inputs, targets in batches:
        assert inputs.shape == targets.shape == (7, 4)
        assert (targets == inputs + 1).all()
    for (before, _), (after, _) in itertools.pairwise(batches):
        assert (after[0] == before[-1] + 1).all()


def test_every_epoch_has_its_own_offset_and_every_seed():
    firsts = {int(next(sequential_batches(IDS, 4, 7, seed, epoch))[0][0, 0]) for seed in range(3) for epoch in range(9)}
    assert firsts == set(range(7))
    again = [next(sequential_batches(IDS, 4, 7, 5, 6))[0] for _ in range(2)]
    assert (again[0] == again[1]).all()


def test_random_windows_cover_the_text_once_in_another_order():
    batches = list(random_batches(IDS, 4, 7, seed=1, epoch=1))
    starts = [int(row[0]) for inputs, _ in batches for row in inputs.T]
    assert all((targets == inputs + 1).all() for inputs, targets in batches)
    assert len(set(starts)) == len(starts) >= 4 * num_batches(2000, 4, 7)
    assert len({s % 7 for s in starts}) == 1
    assert starts != sorted(starts)
    other = [int(row[0]) for inputs, _ in random_batches(IDS, 4, 7, seed=1, epoch=2) for row in inputs.T]
    assert other != starts


def test_too_short_a_text_says_what_would_fit():
    with pytest.raises(ValueError, match=r"40 characters .* needs 1,155; batch_size 1 with seq_length 20 would fit"):
        check_fits(40, 32, 35)
    with pytest.raises(ValueError, match=r"batch_size 1 would fit with this seq_length, or seq_length 3 with"):
        check_fits(99, 32, 35)
    with pytest.raises(ValueError, match="more text is needed"):
        check_fits(1, 32, 35)


@pytest.mark.parametrize("make", [sequential_batches, random_batches])
@pytest.mark.parametrize(("batch_size", "seq_length"), [(1, 1), (3, 5), (32, 35), (7, 1)])
def test_what_fits_gives_a_batch_at_every_offset(make, batch_size, seq_length):
    shortest = (batch_size + 1) * seq_length
    check_fits(shortest, batch_size, seq_length)
    for seed in range(40):
        assert len(list(make(IDS[:shortest], batch_size, seq_length, seed, 1))) >= 1
    with pytest.raises(ValueError, match="too short"):
        check_fits(shortest - 1, batch_size, seq_length)
