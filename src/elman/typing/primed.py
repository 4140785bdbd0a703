"""Primed n-grams: what a training text says of the next symbol, mixed into what a network says.

They are a tree of paths of symbols. A path's node has a share: what the context before its last symbol gives to that
symbol; what a context does not give away is the next shorter one's, down to all symbols alike:

    p_k(symbol) = (1 - sum of shares) p_{k-1}(symbol) + share(symbol)

The mixture is linear, w p_network + (1 - w) p_ngrams. One w serves all places at which the longest context is as long
and gives away about as much, and the network is about as sure.

A file, little-endian, and compressed by xz: the magic, int32 VERSION, levels and symbols, the bytes of all symbols, the
symbol that begins a line; uint16 weights in 2^-16, GIVEN times SURE classes for each level; int32 nodes of each level;
by level, in the order of parent and symbol, uint8 symbols, shares 2^(-x/8) and, but for the last level, numbers of
children; the CRC-32 of all that. libelman reads it uncompressed.
"""

from __future__ import annotations

import lzma
import math
import os
import struct
import zlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from .. import given
from ..errors import ModelFileError
from ..files import write_atomically
from ..kernels import Array
from ..model.counts import SHARES, Kept

MAGIC = b"ELMANNGR"
VERSION = 2
_LARGEST = 64 << 20  # bytes
SURE = (0.2, 0.35, 0.5, 0.7, 0.9, 0.97)
"""Bounds of the probability of the network's likeliest symbol, by which a weight is chosen."""
GIVEN = (0.26, 0.51, 0.76)
"""And of what the longest context gives away: no sum of a few shares, which rounding could bring to either side."""
CLASSES = len(GIVEN) + 1, len(SURE) + 1


class Primed:
    """n-grams of a training text over at most 255 symbols, and the weights that mix them in.

    Args:
        symbols: each one character, at their numbers in `kept`. start: the number of the one that begins a line.
        weights: float64 (levels, 4, 7), the last two CLASSES: the network's share, by the length of the longest
            context, what it gives away and the network's sureness.
    """

    def __init__(self, symbols: str, start: int, kept: Sequence[Kept], weights: Array) -> None:
        self.symbols, self.start = symbols, start
        self.weights = np.clip(np.round(weights * 65536), 1, 65535) / 65536
        self._set([(level.parent, level.symbol, level.bytes) for level in kept])

    def _set(self, levels: Sequence[tuple[Array, Array, Array]]) -> None:
        self._levels = [(symbol.astype(np.uint8), share) for _, symbol, share in levels]
        sizes = [1, *(len(parent) for parent, _, _ in levels)]
        self._first = [
            np.searchsorted(parent, np.arange(size + 1)) for size, (parent, _, _) in zip(sizes, levels, strict=False)
        ]
        self._given = []
        for (_, share), first in zip(self._levels, self._first, strict=True):
            sums = np.concatenate([[0.0], np.cumsum(SHARES[share])])
            self._given.append(sums[first[1:]] - sums[first[:-1]])
        if any((given > 1 + 1e-9).any() for given in self._given):
            raise ModelFileError("n-grams whose shares are more than a whole")

    @cached_property
    def checksum(self) -> int:
        """The CRC-32 at the end of the file."""
        return int.from_bytes(self.to_bytes()[-4:], "little")

    def __len__(self) -> int:
        """n-grams."""
        return sum(len(symbol) for symbol, _ in self._levels)

    def begin(self) -> list[int]:
        """Nodes of the contexts at the begin of a line, from the shortest; -1 where there is none."""
        return self.followed([0], self.start)

    def followed(self, nodes: Sequence[int], symbol: int) -> list[int]:
        """The contexts after one more symbol; -1 for one that the n-grams lack."""
        if symbol < 0:
            return [0]
        if symbol == self.start:
            nodes = [0]
        return [0, *(self._child(order, node, symbol) for order, node in enumerate(nodes[: len(self._levels) - 1]))]

    def _child(self, order: int, node: int, symbol: int) -> int:
        if node < 0:
            return -1
        low, high = self._first[order][node], self._first[order][node + 1]
        symbols = self._levels[order][0]
        at = low + int(np.searchsorted(symbols[low:high], symbol))
        return int(at) if at < high and symbols[at] == symbol else -1

    def probabilities(self, nodes: Sequence[int]) -> Array:
        """float64 (S + 1,): of each symbol after these contexts, and at last of any other."""
        p = np.full(len(self.symbols) + 1, 1.0 / (len(self.symbols) + 1))
        for order, node in enumerate(nodes):
            if node >= 0:
                low, high = self._first[order][node], self._first[order][node + 1]
                if low < high:
                    p *= max(1.0 - self._given[order][node], 0.0)
                    symbols, shares = self._levels[order]
                    p[symbols[low:high]] += SHARES[shares[low:high]]
        return p

    def kind(self, nodes: Sequence[int]) -> tuple[int, int]:
        """The length of the longest of these contexts that gives something away, and the class of how much."""
        for order in range(len(nodes) - 1, -1, -1):
            if nodes[order] >= 0 and (given := self._given[order][nodes[order]]) > 0:
                return order, int(np.searchsorted(GIVEN, given, "right"))
        return 0, 0

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file, compressed by xz, which halves it; what is there already is replaced."""
        write_atomically(given.path("path", path), lzma.compress(self.to_bytes(), preset=9))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Primed:
        """Read a file. Raises ModelFileError if it is missing, damaged or something else."""
        try:
            data = Path(given.path("path", path)).read_bytes()
        except (OSError, ValueError) as error:
            raise ModelFileError(
                f"{path}: no n-grams of a typist ({getattr(error, 'strerror', None) or error})"
            ) from None
        return cls.from_bytes(data, str(path))

    def to_bytes(self) -> bytes:
        """The file before it is compressed: what libelman reads."""
        text = self.symbols.encode()
        head = struct.pack("<4i", VERSION, len(self._levels), len(self.symbols), len(text))
        parts = [MAGIC, head, text, struct.pack("<i", self.start)]
        parts.append(np.round(self.weights * 65536).astype("<u2").tobytes())
        parts.append(np.array([len(symbol) for symbol, _ in self._levels], dtype="<i4").tobytes())
        for order, (symbol, share) in enumerate(self._levels):
            parts += [symbol.tobytes(), share.tobytes()]
            if order + 1 < len(self._levels):
                parts.append(np.diff(self._first[order + 1]).astype(np.uint8).tobytes())
        data = b"".join(parts)
        return data + struct.pack("<I", zlib.crc32(data))

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "the file") -> Primed:
        """The n-grams of a file, compressed or not.

        Raises:
            ModelFileError: no such file, a later version's, or damaged.
        """
        data = _unpacked(data, name)
        if data[:8] != MAGIC:
            raise ModelFileError(f"{name}: no n-grams of a typist; elman.prime makes them")
        version = int.from_bytes(data[8:12], "little")
        if version != VERSION:
            raise ModelFileError(f"{name}: version {version}; this version of Elman reads {VERSION}: prime it anew")
        if len(data) < 32 or zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "little"):
            raise ModelFileError(f"{name}: truncated or damaged: its content does not have its checksum")
        try:
            return cls._read(data)
        except (ValueError, IndexError, struct.error) as error:
            raise ModelFileError(f"{name}: not what a typist saved: {' '.join(str(error).split())}") from None

    @classmethod
    def _read(cls, data: bytes) -> Primed:
        _, count, symbols, size = struct.unpack_from("<4i", data, 8)
        if not (1 <= count <= 16 and 2 <= symbols <= 255 and 0 < size <= 4 * symbols):
            raise ValueError("sizes out of range")
        made, at = cls.__new__(cls), 24 + size
        made.symbols = data[24:at].decode()
        (made.start,) = struct.unpack_from("<i", data, at)
        shape = count, *CLASSES
        made.weights = np.frombuffer(data, "<u2", math.prod(shape), at + 4).reshape(shape) / 65536
        at += 4 + 2 * math.prod(shape)
        sizes = np.frombuffer(data, "<i4", count, at).tolist()
        at += 4 * count
        if (
            len(set(made.symbols)) != symbols
            or len(made.symbols) != symbols
            or not 0 <= made.start < symbols
            or min(sizes) < 0
        ):
            raise ValueError("sizes out of range")
        levels, parent = [], np.zeros(sizes[0], np.int64)
        for order, length in enumerate(sizes):
            symbol, share = (np.frombuffer(data, np.uint8, length, at + i * length) for i in (0, 1))
            at += 2 * length
            if len(parent) != length or (symbol >= symbols).any():
                raise ValueError("a level does not fit the one before")
            levels.append((parent, symbol, share))
            if order + 1 < count:
                parent = np.repeat(np.arange(length), np.frombuffer(data, np.uint8, length, at))
                at += length
        if at + 4 != len(data):
            raise ValueError("it goes on after its end")
        made._set(levels)
        return made


def _unpacked(data: bytes, name: str) -> bytes:
    if data[:6] != b"\xfd7zXZ\x00":
        return data
    try:
        unpacking = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=100 << 20)
        plain = unpacking.decompress(data, max_length=_LARGEST)
    except lzma.LZMAError as error:
        raise ModelFileError(f"{name}: truncated or damaged ({error})") from None
    if not unpacking.eof:
        raise ModelFileError(f"{name}: truncated, or more than {_LARGEST >> 20} MiB of n-grams")
    return plain
