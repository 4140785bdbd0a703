"""Records -> minibatches of about one length each, shuffled."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .. import philox
from .windows import time_major

_POOL = 32  # batches of records sorted together: enough that little is padding, few enough that an epoch is shuffled


def record_batches(
    ids: np.ndarray,
    starts: np.ndarray,
    lengths: np.ndarray,
    batch_size: int,
    seq_length: int,
    seed: int,
    epoch: int,
) -> Iterator[tuple[np.ndarray, np.ndarray, bool]]:
    """Minibatches whose rows are records, every record once, in an order shuffled by the seed.

    Records of about one length go together: pools of `_POOL` shuffled batches are sorted by length and cut, and
    the batches shuffled again. A batch longer than `seq_length` is cut into steps of that length, through which the
    state is carried; its rows are sorted by length, longest first, and those that have ended are left out.

    Args:
        ids: (N,) of any integer type. starts, lengths: int64 (R,), from `records.record_spans`.

    Yields:
        (inputs, targets, fresh): int64 (T, b) each, where a target of -1 is beyond the end of its record and does not
        count; and whether these are the first characters of the batch's records. If not, the rows are the first b of
        the minibatch before, and go on from its state.
    """
    raw = philox.words(seed, philox.EPOCH + epoch, 2 * len(starts))
    shuffled = np.argsort(raw[: len(starts)], kind="stable")
    pools = [shuffled[i : i + _POOL * batch_size] for i in range(0, len(shuffled), _POOL * batch_size)]
    ordered = np.concatenate([pool[np.argsort(-lengths[pool], kind="stable")] for pool in pools])
    cut = [ordered[i : i + batch_size] for i in range(0, len(ordered), batch_size)]
    for index in np.argsort(raw[len(starts) : len(starts) + len(cut)], kind="stable"):
        rows = cut[index][np.argsort(-lengths[cut[index]], kind="stable")]
        for first in range(0, int(lengths[rows[0]]), seq_length):
            rows = rows[lengths[rows] > first]
            steps = np.arange(first, min(first + seq_length, int(lengths[rows[0]])))
            positions = np.minimum(starts[rows, None] + steps, len(ids) - 2)
            inputs, targets = time_major(ids[positions]), time_major(ids[positions + 1])
            targets[(steps >= lengths[rows, None]).T] = -1
            yield inputs, targets, first == 0


def shuffled(count: int, seed: int) -> np.ndarray:
    """0 .. count-1 in an order that the seed decides."""
    return np.argsort(philox.words(seed, philox.EPOCH, count), kind="stable")  # epochs count from 1
