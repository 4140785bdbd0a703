"""The samples of a coder, split once: to train on, for the mixers, to choose by and to measure on."""

from __future__ import annotations

import collections
from collections.abc import Sequence
from dataclasses import dataclass

from .. import batches
from ..errors import InputError

TAIL = 96 << 10
"""Bytes from which mixers learn beside the network: as many as the coder takes for that."""
HELD_OUT, HELD_OUT_BYTES = 2000, 1_000_000
FEWEST = 5
"""Different samples: one to train on, one for the mixers, one that chooses and one that measures, and one more."""


@dataclass(frozen=True)
class Parts:
    """Samples, split; in each no two are equal, and none occurs in another.

    Attributes:
        train: for the network and the contexts.
        counts: how often each of `train` occurs.
        tail: for the mixers, and for contexts after that.
        choice: to choose by.
        held_out: to measure on.
    """

    train: list[bytes]
    counts: list[int]
    tail: list[bytes]
    choice: list[bytes]
    held_out: list[bytes]


def split(samples: Sequence[bytes], seed: int = 0) -> Parts:
    """Raises InputError: too few different samples."""
    counted = collections.Counter(sample for sample in samples if sample)
    different = list(counted)
    if len(different) < FEWEST:
        found = "none" if not different else "only 1" if len(different) == 1 else f"only {len(different)}"
        raise InputError(
            f"of {len(samples):,} samples {found} are different and not empty; expected at least {FEWEST}: some to "
            "learn from, others to measure on"
        )
    different = [different[i] for i in batches.shuffled(len(different), seed)]
    total = sum(map(len, different))
    held = _first(different, min(HELD_OUT, max(2, len(different) // 10)), min(HELD_OUT_BYTES, total // 10), 2)
    rest = different[held:]
    tail = _first(rest, len(rest) - 1, min(TAIL, total // 5), 1)
    train = rest[tail:]
    return Parts(
        train, [counted[sample] for sample in train], rest[:tail], different[: held // 2], different[held // 2 : held]
    )


def _first(samples: list[bytes], most: int, size: int, least: int) -> int:
    """How many of the first samples: at most so many, of so many bytes; and at least so many."""
    taken = 0
    while taken < most and size > 0:
        size -= len(samples[taken])
        taken += 1
    return max(taken, least)
