"""Dropout masks in plain NumPy: Philox decides each element by its place in the stream."""

from __future__ import annotations

import numpy as np

from .backend import Array, Dropout, LayerWeights, ModelWeights


class Masks:
    """The masks of one step, applied to what goes forward and to the gradients that come back."""

    def __init__(self, settings: Dropout, network: ModelWeights, steps: int, rows: int) -> None:
        self.settings, self.begins = settings, settings.begins(network, steps, rows)

    def _mask(self, kind: str, index: int, x: Array, together: bool = False) -> Array:
        """together: one mask for all of x's first axis."""
        share, size = getattr(self.settings, kind), x[0].size if together else x.size
        if not share or not x.size:
            return x
        begin = self.begins[kind] + index * size
        parts = x if together else x[None]
        masked = [dropout(part, share, self.settings.seed, begin) for part in parts]
        return np.stack(masked) if together else masked[0]

    def of_input(self, layer: int, x: Array) -> Array:
        return self._mask("hidden", layer - 1, self._mask("p", layer - 1, x), together=True) if layer else x

    def of_output(self, x: Array) -> Array:
        return self._mask("output", 0, x, together=True)

    def of_recurrent(self, layer: int, w_hh: Array) -> Array:
        return self._mask("weights", layer, w_hh)

    def of_weights(self, layer: int, weights: LayerWeights) -> LayerWeights:
        w_ih, w_hh, b_ih, b_hh = weights
        return w_ih, self.of_recurrent(layer, w_hh), b_ih, b_hh


def dropout(x: Array, p: float, seed: int, offset: int) -> Array:
    first, skip = divmod(offset, 4)
    words = philox(seed, first, (skip + x.size + 3) // 4).reshape(-1)[skip : skip + x.size]
    keep = words >= round(p * 2**32)
    return np.where(keep.reshape(x.shape), x * np.float32(1.0 / (1.0 - p)), np.float32(0))


def philox(seed: int, first: int, blocks: int) -> Array:
    """Philox4x32-10: uint64 (blocks, 4) of 32-bit words, for counters first .. first+blocks-1 and a 64-bit key.

    Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011).
    """
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    counter = np.arange(blocks, dtype=np.uint64) + np.uint64(first % 2**64)
    a, b, c, d = counter & low, counter >> half, np.zeros_like(counter), np.zeros_like(counter)
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        p0, p1 = a * np.uint64(0xD2511F53), c * np.uint64(0xCD9E8D57)
        a, b, c, d = (p1 >> half) ^ b ^ np.uint64(k0), p1 & low, (p0 >> half) ^ d ^ np.uint64(k1), p0 & low
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack((a, b, c, d), -1)
