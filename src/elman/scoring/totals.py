"""Totals: what pieces of a text, or several texts, cost together, added without rounding on the way."""

from __future__ import annotations

import numpy as np

from .scores import Score, perplexity

_UNIT = 1130  # sums are whole multiples of 2^-_UNIT, as every float64 is
_PIECE = 1 << 15  # costs added at once: they take 60 bytes each meanwhile


class Totals:
    """Sums over scores. They equal the whole text's to the last bit, however it was cut."""

    def __init__(self) -> None:
        self.characters, self.bytes, self.tokens, self.unknown = 0, 0, 0, 0
        self._sum, self._infinite = 0, 0.0

    def add(self, score: Score) -> None:
        """Count a score in."""
        self.characters += score.num_characters
        self.bytes += score.num_bytes
        self.tokens += len(score.surprisal)
        self.unknown += score.unknown
        self.add_bits(score.surprisal)

    def add_bits(self, bits: np.ndarray) -> None:
        """Only the costs, float64 (T,)."""
        for begin in range(0, len(bits), _PIECE):
            self._add_bits(bits[begin : begin + _PIECE])

    def _add_bits(self, bits: np.ndarray) -> None:
        finite = np.isfinite(bits)
        if not finite.all():
            self._infinite += float(bits[~finite].sum())
            bits = bits[finite]
        if not len(bits):
            return
        mantissas, exponents = np.frexp(bits)
        whole = (mantissas * 2.0**53).astype(np.int64)
        least = int(exponents.min())
        # Halves of 27 bits: the sums of up to 2^26 of them are exact in float64.
        high, low = (np.bincount(exponents - least, half) for half in (whole >> 27, whole & (1 << 27) - 1))
        for place in np.flatnonzero(high + low).tolist():
            value = (int(high[place]) << 27) + int(low[place])
            self._sum += value << (least + place - 53 + _UNIT)

    def merge(self, other: Totals) -> None:
        """Count in all that the other has counted."""
        for name in ("characters", "bytes", "tokens", "unknown", "_sum", "_infinite"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def bits(self) -> float:
        """The sum of all costs, rounded once."""
        return self._sum / (1 << _UNIT) + self._infinite

    @property
    def bits_per_char(self) -> float:
        """0 for no text."""
        return self.bits / self.characters if self.characters else 0.0

    @property
    def bits_per_byte(self) -> float:
        """0 for no text."""
        return self.bits / self.bytes if self.bytes else 0.0

    @property
    def perplexity(self) -> float:
        """Perplexity, like a Score's."""
        return perplexity(self.bits / max(1, self.tokens))
