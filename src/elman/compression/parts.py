"""Parts of an archive on disk: only the blocks that they lie in are read and decoded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CompressedError, InputError
from .blocks import (
    BLOCK,
    CRC,
    END_MAGIC,
    FOOTER,
    HEADER,
    MAX_BLOCK,
    Models,
    Reader,
    block_head,
    decoder,
    exactly,
    varints,
)
from .codec import whole
from .handle import Handle, Place
from .predictor import Predictor

LEAST = HEADER.size + CRC.size + 1 + FOOTER.size
"""Bytes of an archive of nothing."""
MAX_SIZE_BYTES = 4
"""Bytes of a size in the table: no block has more than MAX_BLOCK bytes."""


class Archive:
    """An archive on disk, of which parts can be read: only the blocks that they lie in are decoded.

    Any number of threads may read one Archive, and forked processes too. A pickled one is its path and the model that
    it was given: it is opened anew where it is loaded.

    Attributes:
        path: absolute.
        raw_size: bytes in all; also len().
        blocks: int64 (blocks, 2): the raw and the coded size of each.
        level: at which it was made; the first one, where several archives follow one another.
        digest: the first 8 bytes of the model's digest; likewise.
    """

    def __init__(self, path: str | Path, model: Predictor | None = None) -> None:
        self.path, self._given = Path(os.path.abspath(path)), model
        handle = Handle(path)
        members = _members(handle)
        self._made = [made for _, made, _ in members]
        _, self.level, self.digest = self._made[0]
        self.blocks = np.concatenate([blocks for _, _, blocks in members])
        # Of each block: the archive that it is in, where its bytes begin in the whole, and where it begins in the file.
        self._member = np.repeat(np.arange(len(members), dtype=np.int32), [len(blocks) for _, _, blocks in members])
        self._raw_at = np.concatenate([[0], np.cumsum(self.blocks[:, 0])])
        begin = [at + HEADER.size + CRC.size + _before(BLOCK.size + blocks[:, 1]) for at, _, blocks in members]
        self._coded_at = np.concatenate(begin)
        self.raw_size, self._models = int(self._raw_at[-1]), Models(model)
        self._handle: Handle | None = handle

    def read(self, start: int = 0, size: int | None = None) -> bytes:
        """`size` bytes from `start`, or up to the end; fewer where the end comes before.

        Raises:
            InputError: start or size is below 0 or no whole number.
            CompressedError: the model is another one, or a block is damaged.
        """
        start = whole(start, "start is {}; expected 0 or more", 0)
        end = self.raw_size
        if size is not None:
            end = min(end, start + whole(size, "size is {}; expected 0 or more", 0))
        handle = self._handle
        if handle is None:
            raise InputError(f"{self.path}: the archive is closed")
        _ = self._models[self.digest]
        number, parts = int(np.searchsorted(self._raw_at, start, "right")) - 1, []
        while number < len(self.blocks) and (first := int(self._raw_at[number])) < end:
            parts.append(self._block(handle, number)[max(start - first, 0) : end - first])
            number += 1
        return b"".join(parts)

    def _block(self, handle: Handle, number: int) -> bytes:
        file = Place(handle, int(self._coded_at[number]))
        kind, rows, raw_size, coded_size, crc = block_head(exactly(file, BLOCK.size))
        if [raw_size, coded_size] != self.blocks[number].tolist():
            raise CompressedError("the archive is damaged: its table does not fit its blocks")
        contract, level, digest = self._made[self._member[number]]
        decode = decoder(contract, level, self._models[digest])
        return decode((raw_size, coded_size, kind, rows, crc, exactly(file, coded_size)))

    def __len__(self) -> int:
        return self.raw_size

    def close(self) -> None:
        """Read no more. The file is closed once no thread reads from it."""
        self._handle = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Archive, (self.path, self._given)

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _members(handle: Handle) -> list[tuple[int, tuple[int, int, bytes], np.ndarray]]:
    """Read each archive in the file, from the end: where it begins, its header, and its blocks."""
    Reader(Place(handle)).header()  # says what the file is, if it is no archive
    members, end = [], handle.size
    while end:
        blocks, size = _table(handle, end)
        end -= size
        members.append((end, Reader(Place(handle, end)).header(), blocks))
    return members[::-1]


def _table(handle: Handle, end: int) -> tuple[np.ndarray, int]:
    """The blocks of the archive that ends here, and its size. No more is read than so many blocks could have."""
    if end < LEAST:
        raise CompressedError("the archive is cut short")
    table_size, count, _, magic = FOOTER.unpack(handle.read(FOOTER.size, end - FOOTER.size))
    fits = 2 * count <= table_size <= 2 * MAX_SIZE_BYTES * count and table_size + BLOCK.size * count <= end - LEAST
    if magic != END_MAGIC or not fits:
        raise CompressedError("the archive is cut short or damaged: its end is missing")
    data = handle.read(table_size + 1, end - FOOTER.size - table_size - 1)
    sizes = np.fromiter(varints(data[1:]), np.int64)
    blocks = sizes.reshape(-1, 2) if len(sizes) == 2 * count else np.zeros((0, 2), np.int64)
    fits = data[0] == 0 and len(blocks) == count
    fits = fits and bool(((blocks[:, 1] <= blocks[:, 0]) & (blocks[:, 0] > 0) & (blocks[:, 0] <= MAX_BLOCK)).all())
    size = int(blocks[:, 1].sum()) + BLOCK.size * count + LEAST + table_size
    if not fits or size > end:
        raise CompressedError("the archive is damaged: its table does not fit its blocks")
    return blocks, size


def _before(sizes: np.ndarray) -> np.ndarray:
    return np.cumsum(sizes) - sizes
