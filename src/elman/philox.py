"""Every random number of the package's own: raw words of NumPy's Philox4x64 under a key of a seed and a use.

NumPy guarantees this raw stream never to change, which its `Generator` and `default_rng` do not. What turns words into
real numbers are operations that IEEE 754 defines. The table of uses keeps the streams of one seed apart:

    0 ..            the initial weights, one use for each parameter      model/initial
    2^32 + epoch    the order of what an epoch trains on; 0: the split   batches
    2^33 + stream   the draws of one generated text                      generation
    2^34 + kind     texts that a generated one is compared with          inspection
    2^35            which lines an interval is drawn from                scoring
    2^36            the seeds of the second and further networks         training

Dropout has its own generator in the kernel, Philox4x32-10, under a key made from the seed: `dropout_seed`.
"""

from __future__ import annotations

import numpy as np

INITIAL, EPOCH, DRAW, COMPARISON, BOOTSTRAP, NETWORKS = 0, 2**32, 2**33, 2**34, 2**35, 2**36


def generator(seed: int, use: int) -> np.random.Philox:
    """A stream from its beginning. seed, use: 0 .. 2^64-1."""
    return np.random.Philox(key=np.array([seed, use], dtype=np.uint64))


def words(seed: int, use: int, count: int) -> np.ndarray:
    """uint64 (count,): the first words of a stream."""
    return generator(seed, use).random_raw(count)


def unit(raw: np.ndarray) -> np.ndarray:
    """float64 in [0, 1), 53 bits each, of uint64 words."""
    return (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53


def dropout_seed(seed: int) -> int:
    """The key of dropout's masks, 0 .. 2^64-1."""
    return (seed ^ 0xD809_0047_D809_0047) & (2**64 - 1)
