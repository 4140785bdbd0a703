"""One long sequence -> minibatches: sequential, as the book cuts it, whose state is carried; or random."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .. import philox
from ..errors import InputError

Batch = tuple[np.ndarray, np.ndarray]  # inputs, targets: int64 (T, B); targets are one step ahead


def sequential_batches(
    ids: np.ndarray,
    batch_size: int,
    seq_length: int,
    seed: int,
    epoch: int,
    within: tuple[int, int] | None = None,
) -> Iterator[Batch]:
    """Minibatches whose rows go on where the rows of the one before ended, so the state can be carried.

    Args:
        ids: (N,) of any integer type; it is sliced, never copied whole.
        seed, epoch: decide the offset in [0, seq_length) at which the text is begun.
        within: read only these rows, from and to; the others are zeros. None: read all.
    Yields:
        inputs, targets: int64 (T, B).
    Raises:
        InputError: the text is too short for one batch; says how short, and what would fit.
    """
    check_fits(len(ids), batch_size, seq_length)
    offset = int(philox.words(seed, philox.EPOCH + epoch, 1)[0] % np.uint64(seq_length))
    per_row = (len(ids) - offset - 1) // batch_size
    rows = ids[offset : offset + per_row * batch_size].reshape(batch_size, per_row)
    ahead = ids[offset + 1 : offset + 1 + per_row * batch_size].reshape(batch_size, per_row)
    part = slice(*within) if within else slice(batch_size)
    for start in range(0, per_row - seq_length + 1, seq_length):
        window = slice(start, start + seq_length)
        yield _columns(rows[part, window], part, batch_size), _columns(ahead[part, window], part, batch_size)


def random_batches(
    ids: np.ndarray,
    batch_size: int,
    seq_length: int,
    seed: int,
    epoch: int,
    within: tuple[int, int] | None = None,
) -> Iterator[Batch]:
    """Minibatches of windows in random order, each to be begun from a zero state. Arguments as `sequential_batches`."""
    check_fits(len(ids), batch_size, seq_length)
    count = (len(ids) - seq_length) // seq_length  # as if the offset were the largest, so an epoch has one length
    raw = philox.words(seed, philox.EPOCH + epoch, 1 + count)
    offset = int(raw[0] % np.uint64(seq_length))
    starts = offset + np.argsort(raw[1:], kind="stable") * seq_length
    steps = np.arange(seq_length)
    part = slice(*within) if within else slice(batch_size)
    for first in range(0, count - batch_size + 1, batch_size):
        windows = starts[first : first + batch_size, None][part] + steps
        yield _columns(ids[windows], part, batch_size), _columns(ids[windows + 1], part, batch_size)


def num_batches(n_ids: int, batch_size: int, seq_length: int) -> int:
    """Batches that every epoch has, whatever its offset."""
    return max(0, (n_ids - seq_length) // batch_size // seq_length)


def check_fits(n_ids: int, batch_size: int, seq_length: int) -> None:
    """Raises InputError if `n_ids` are too few for one batch at every offset; says how short, and what would fit."""
    if num_batches(n_ids, batch_size, seq_length):
        return
    needed = (batch_size + 1) * seq_length
    fits = max(0, n_ids // seq_length - 1)
    shorter = n_ids // (batch_size + 1)
    if fits:
        advice = f"batch_size {fits} would fit with this seq_length"
    elif n_ids >= 2:
        advice = f"batch_size 1 with seq_length {n_ids // 2} would fit"
    else:
        advice = "more text is needed"
    if fits and shorter:
        advice += f", or seq_length {shorter} with this batch_size"
    raise InputError(
        f"the text is too short: {n_ids:,} characters to train on, but batch_size {batch_size} x seq_length "
        f"{seq_length} needs {needed:,}; {advice}"
    )


def _columns(rows: np.ndarray, part: slice, batch_size: int) -> np.ndarray:
    """Rows (b, T) of a batch as its columns `part`: int64 (T, B), zeros elsewhere."""
    if len(rows) == batch_size:
        return time_major(rows)
    batch = np.zeros((rows.shape[1], batch_size), dtype=np.int64)
    batch[:, part] = rows.T
    return batch


def time_major(rows: np.ndarray) -> np.ndarray:
    """(B, T) of any integer type -> int64 (T, B), C-contiguous."""
    return rows.T.astype(np.int64, order="C")
