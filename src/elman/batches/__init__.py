"""ids -> minibatches: of one long text, or of records."""

from __future__ import annotations

from .records import record_batches, shuffled
from .windows import Batch, check_fits, num_batches, random_batches, sequential_batches

__all__ = ["Batch", "check_fits", "num_batches", "random_batches", "record_batches", "sequential_batches", "shuffled"]
