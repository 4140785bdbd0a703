"""Lines: what each line of a scored text costs, and which are odd."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

BURST = 4
"""Neighbouring characters of a line whose bits together say how odd it is."""
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, eq=False)
class Lines:
    """The lines of a text and what each costs."""

    data: str | bytes
    starts: np.ndarray
    """int64 (N,), in characters (bytes) of the text."""
    lengths: np.ndarray
    """int64 (N,), with the line end."""
    bits: np.ndarray
    """float64 (N,)."""
    bursts: np.ndarray
    """float64 (N,), the most bits that `BURST` neighbouring characters of the line cost, its line end counted."""
    peaks: np.ndarray
    """int64 (N,), the place in the line, from 0, of the last of those neighbours; ties: the first."""

    def __len__(self) -> int:
        return len(self.bits)

    def __repr__(self) -> str:
        return f"Lines({len(self):,})"

    def text(self, index: int) -> str:
        """The line, without its line end."""
        line = self.data[self.starts[index] : self.starts[index] + self.lengths[index]]
        return (line if isinstance(line, str) else line.decode("utf-8", "replace")).removesuffix("\n")

    def burst_span(self, index: int) -> tuple[int, int]:
        """Start and end of the burst within the line's characters. The line end may be the last of it."""
        end = int(self.peaks[index]) + 1
        begin = max(0, end - BURST)
        if isinstance(self.data, bytes):  # whole characters, of those bytes
            line = self.data[self.starts[index] : self.starts[index] + self.lengths[index]]
            heads = np.frombuffer(line, dtype=np.uint8) & 0xC0 != 0x80
            begin, end = max(0, int(heads[: begin + 1].sum()) - 1), int(heads[:end].sum())
        return begin, end

    def top(self, count: int) -> np.ndarray:
        """Indices of the `count` lines with the costliest bursts, costliest first; ties in their order.

        What is odd about a line is mostly in one place; a mean over the line hides it in a long one, and is high for
        a line that is only rare. Blank lines are left out: a model of records has seen none.
        """
        order = np.argsort(-self.bursts, kind="stable")
        return order[(token_array(self.data)[self.starts] != ord("\n"))[order]][:count]


def mask(text: str) -> str:
    """`text` with each run of digits as one 0: lines that differ in numbers only are alike."""
    return _DIGITS.sub("0", text)


def token_array(data: str | bytes) -> np.ndarray:
    if isinstance(data, bytes):
        return np.frombuffer(data, dtype=np.uint8)
    return np.frombuffer(data.encode("utf-32-le", "surrogatepass"), dtype="<u4")
