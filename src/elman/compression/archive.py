"""Archives (.elz): a file in blocks, each coded alone by a model or stored, with checksums and a table of the blocks.

    header    20 bytes   magic, version, contract, level, flags; the model's digest, 8 bytes; CRC-32 of all that
    block     18 bytes   kind and rows, bytes raw and coded, CRC-32 of the raw bytes; CRC-32 of all that; then the code
    ...
    table                0; for each block its two sizes, as varints
    footer    16 bytes   bytes of the table, blocks, CRC-32 of the file before it, magic

Archives may follow one another in a file, as after `cat a.elz b.elz`: they hold what both hold. Numbers are
little-endian. docs/compression.md has every field.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import CompressedError, InputError
from ..kernels import _cpu  # pyright: ignore[reportAttributeAccessIssue]
from .codec import as_array
from .predictor import CONTRACT, Predictor, digest_of, matching, native_of

MAGIC, END_MAGIC, VERSION = b"\x89ELZ", b"ELZ\x1a", 1
STORE_MAGIC = b"\x89ELR"
HEADER = struct.Struct("<4sBBBB8s")
BLOCK = struct.Struct("<BBIIII")  # its last field: CRC-32 of those before it
FOOTER = struct.Struct("<III4s")
CRC = struct.Struct("<I")
STORED, CODED, ALONE = 1, 2, 3
"""Kinds of blocks: as it is; coded with the archive's model, if it has one; coded by contexts alone all the same."""

MAX_BLOCK = 1 << 24
"""Raw bytes of a block, at most: what a reader allocates, beside the tables (at most 150 MiB) and the code."""

BLOCK_SIZE = 1 << 22
LEVEL = 6
JUDGED = 1 << 16
"""Bytes of a block from which on a sample decides whether the network takes part."""
PIECES, PIECE = 16, 128
"""The sample: so many pieces of so many bytes."""


@dataclass(frozen=True)
class Totals:
    """What went in and out: bytes, and the number of blocks."""

    raw: int
    coded: int
    blocks: int


def rows_for(size: int) -> int:
    """Pieces of a block that are coded side by side with a network: more are faster and cost 1 to 25 % in size.

    Two of the kernel's tiles of six rows, one for each of two cores; one tile; or as many rows as have 16 KiB. The past
    of a store or a coder's model is coded in as many, network or none: its format does not carry the number.
    """
    return 12 if size >= 1 << 17 else 6 if size >= 3 << 15 else max(1, size >> 14)


def is_worthwhile(raw: bytes, model: Predictor) -> bool:
    """Whether the network is to take part in a block: if it makes a sample a quarter smaller.

    Measured on twelve kinds of files with a model of English: where a sample did, beginnings of 24 KB got 4 to 32 %
    smaller by the network; elsewhere 5 % smaller to 6 % larger. The sample is 2 KB, so short blocks are not judged.
    """
    if len(raw) < JUDGED:
        return True
    starts = (i * (len(raw) - PIECE) // (PIECES - 1) for i in range(PIECES))
    sample = as_array(b"".join(raw[start : start + PIECE] for start in starts))
    alone = _cpu.encode_block(sample, level=1, rows=1, predictor=None)
    return 4 * len(_cpu.encode_block(sample, level=1, rows=PIECES, predictor=model.native)) <= 3 * len(alone)


# --- writing ---


def compress(
    source: BinaryIO,
    target: BinaryIO,
    model: Predictor | None = None,
    *,
    level: int = LEVEL,
    block_size: int = BLOCK_SIZE,
    threads: int = 1,
) -> Totals:
    """Write what `source` holds to `target` as an archive, in memory bounded by `threads` blocks and their tables.

    The bytes depend on the source, the model, the level and the block size; not on the threads.

    Raises:
        InputError: a level outside 1..9, a block size outside 1..MAX_BLOCK, or a model without a network.
    """
    if not 1 <= level <= 9:
        raise InputError(f"level is {level}; expected 1..9")
    if not 1 <= block_size <= MAX_BLOCK:
        raise InputError(f"block_size is {block_size}; expected 1..{MAX_BLOCK}")
    if model is not None and model.native is None:
        raise InputError("the model has a past and no network: it serves stores and messages, not files")
    out = _Summed(target)
    header = HEADER.pack(MAGIC, VERSION, CONTRACT, level, 0, digest_of(model)[:8])
    out.write(header + CRC.pack(zlib.crc32(header)))
    table, raw_size = bytearray(), 0

    def encode(raw: bytes) -> tuple[bytes, bytes]:
        kind = CODED if model is None or is_worthwhile(raw, model) else ALONE
        rows = rows_for(len(raw)) if model is not None and kind == CODED else 1  # contexts alone gain nothing by more
        code = _cpu.encode_block(
            as_array(raw), level=level, rows=rows, predictor=native_of(model if kind == CODED else None)
        )
        if len(code) >= len(raw):
            kind, rows, code = STORED, 0, raw
        head = BLOCK.pack(kind, rows, len(raw), len(code), zlib.crc32(raw), 0)[:-4]
        return head + CRC.pack(zlib.crc32(head)), code

    blocks = 0
    for raw, (head, code) in _in_order(encode, iter(lambda: _read(source, block_size), b""), threads):
        out.write(head)
        out.write(code)
        table += _varint(len(raw)) + _varint(len(code))
        raw_size += len(raw)
        blocks += 1
    out.write(b"\0" + table)
    out.write(FOOTER.pack(len(table), blocks, out.crc, END_MAGIC))
    return Totals(raw_size, out.size, blocks)


# --- reading ---


def decompress(source: BinaryIO, target: BinaryIO, model: Predictor | None = None, *, threads: int = 1) -> Totals:
    """Write the bytes that the archive `source` holds to `target`, block by block, each checked before it is written;
    where more archives follow it, theirs too.

    A model that comes with the package is found without being given.

    Raises:
        CompressedError: not an archive, of another model, damaged or cut short. Whole blocks before the damage may have
            been written by then.
    """
    reader = _Reader(source)
    raw_size = blocks = 0
    more, models = True, _Models(model)
    while more:
        level, digest = reader.header()
        decode = _decoder(level, models[digest])
        for _, raw in _in_order(decode, reader.blocks(), threads):
            target.write(raw)
            raw_size += len(raw)
            blocks += 1
        more = reader.finish()
    return Totals(raw_size, reader.size, blocks)


class _Models(dict[bytes, "Predictor | None"]):
    """The model of each digest, found once. Only the first archive refuses a model that it does not need."""

    def __init__(self, given: Predictor | None) -> None:
        self._given = given

    def __missing__(self, digest: bytes) -> Predictor | None:
        alone = bool(self) and not any(digest)
        self[digest] = matching("the archive", digest, None if alone else self._given)
        return self[digest]


def _decoder(level: int, model: Predictor | None) -> Callable[[tuple[int, int, int, int, int, bytes]], bytes]:
    def decode(block: tuple[int, int, int, int, int, bytes]) -> bytes:
        raw_size, _, kind, rows, crc, code = block
        if kind == STORED:
            raw = code
        else:
            out = np.empty(raw_size, np.uint8)
            _cpu.decode_block(
                as_array(code), out, level=level, rows=rows, predictor=native_of(model if kind == CODED else None)
            )
            raw = out.tobytes()
        if zlib.crc32(raw) != crc:
            raise CompressedError("the archive is damaged: a block's checksum differs")
        return raw

    return decode


class Archive:
    """An archive on disk, of which parts can be read: only the blocks that they lie in are decoded.

    Attributes:
        raw_size: bytes in all; also len().
        blocks: (raw size, coded size) of each.
        level: at which it was made; the first one, where several archives follow one another.
        digest: the first 8 bytes of the model's digest; likewise.
    """

    def __init__(self, path: str | Path, model: Predictor | None = None) -> None:
        self._file = open(path, "rb")  # noqa: SIM115  (closed by `close`)
        self._models = _Models(model)
        self.blocks: list[tuple[int, int]] = []
        self._raw_at: list[int] = [0]
        self._coded_at: list[int] = []
        self._made: list[tuple[int, bytes]] = []
        try:
            members = self._members()
        except BaseException:
            self._file.close()
            raise
        self.level, self.digest = members[0][1]
        for coded_at, made, blocks in members:
            at = coded_at + HEADER.size + CRC.size
            for raw, coded in blocks:
                self.blocks.append((raw, coded))
                self._raw_at.append(self._raw_at[-1] + raw)
                self._coded_at.append(at)
                self._made.append(made)
                at += BLOCK.size + coded
        self.raw_size = self._raw_at[-1]

    def _members(self) -> list[tuple[int, tuple[int, bytes], list[tuple[int, int]]]]:
        """Of each archive in the file: where it begins, its level and digest, and its blocks. Read from the end."""
        reader = _Reader(self._file)
        reader.header()  # says what the file is, if it is no archive
        members, end = [], self._file.seek(0, os.SEEK_END)
        while end:
            blocks, size = self._table(end)
            end -= size
            self._file.seek(end)
            members.append((end, reader.header(), blocks))
        return members[::-1]

    def _table(self, end: int) -> tuple[list[tuple[int, int]], int]:
        """The blocks of the archive that ends here, and its size."""
        file = self._file
        least = HEADER.size + CRC.size + 1 + FOOTER.size
        if end < least:
            raise CompressedError("the archive is cut short")
        file.seek(end - FOOTER.size)
        table_size, count, _, magic = FOOTER.unpack(file.read(FOOTER.size))
        if magic != END_MAGIC or table_size > end - least or 2 * count > table_size:
            raise CompressedError("the archive is cut short or damaged: its end is missing")
        file.seek(end - FOOTER.size - table_size - 1)
        data = file.read(table_size + 1)
        numbers = list(_varints(data[1:]))
        blocks = list(zip(numbers[::2], numbers[1::2], strict=False))
        size = sum(BLOCK.size + coded for _, coded in blocks) + least + table_size
        if data[0] != 0 or len(numbers) != 2 * count or size > end:
            raise CompressedError("the archive is damaged: its table does not fit its blocks")
        return blocks, size

    def read(self, start: int = 0, size: int | None = None) -> bytes:
        """`size` bytes from `start`, or up to the end.

        Raises:
            CompressedError: the model is another one, or a block is damaged.
        """
        end = self.raw_size if size is None else min(self.raw_size, start + max(size, 0))
        _ = self._models[self.digest]
        parts = []
        for number, (raw_size, coded_size) in enumerate(self.blocks):
            first, last = self._raw_at[number], self._raw_at[number + 1]
            if first >= end or last <= start:
                continue
            self._file.seek(self._coded_at[number])
            kind, rows, raw_there, coded_there, crc = _block_head(_exactly(self._file, BLOCK.size))
            if (raw_there, coded_there) != (raw_size, coded_size):
                raise CompressedError("the archive is damaged: its table does not fit its blocks")
            level, digest = self._made[number]
            decode = _decoder(level, self._models[digest])
            raw = decode((raw_size, coded_size, kind, rows, crc, _exactly(self._file, coded_size)))
            parts.append(raw[max(start - first, 0) : end - first])
        return b"".join(parts)

    def __len__(self) -> int:
        return self.raw_size

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Summed:
    """A file that is written, its size and its CRC-32 so far."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.size, self.crc = file, 0, 0

    def write(self, data: bytes) -> None:
        self.file.write(data)
        self.size += len(data)
        self.crc = zlib.crc32(data, self.crc)


class _Reader:
    """An archive that is read from its first byte to its last, which may be a pipe."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.size, self.crc = file, 0, 0
        self.sizes: list[int] = []
        self._next = b""  # what was read of the archive that follows

    def take(self, size: int) -> bytes:
        data = _exactly(self.file, size)
        self.size += size
        self.crc = zlib.crc32(data, self.crc)
        return data

    def header(self) -> tuple[int, bytes]:
        """The level, and the digest's first 8 bytes."""
        start = self._next or _read(self.file, len(MAGIC))
        if start == STORE_MAGIC:
            raise CompressedError("this is a store of lines, not an archive; `elman get` reads it")
        if start != MAGIC:
            raise CompressedError("this is not an archive that `elman compress` wrote")
        data = start + _exactly(self.file, HEADER.size + CRC.size - len(MAGIC))
        self.size, self.crc, self.sizes, self._next = self.size + len(data), zlib.crc32(data), [], b""
        _, version, contract, level, flags, digest = HEADER.unpack(data[: HEADER.size])
        if CRC.unpack(data[HEADER.size :])[0] != zlib.crc32(data[: HEADER.size]):
            raise CompressedError("the archive is damaged: its header's checksum differs")
        if version != VERSION or contract != CONTRACT or flags or not 1 <= level <= 9:
            raise CompressedError(
                f"the archive is of version {version} and contract {contract}; this reads {VERSION} and {CONTRACT}"
            )
        return level, digest

    def blocks(self) -> Iterator[tuple[int, int, int, int, int, bytes]]:
        """(raw size, coded size, kind, rows, CRC of the raw bytes, code) of each."""
        while (kind := self.take(1)) != b"\0":
            head = _block_head(kind + self.take(BLOCK.size - 1))
            kind_, rows, raw_size, coded_size, crc = head
            self.sizes += [raw_size, coded_size]
            yield raw_size, coded_size, kind_, rows, crc, self.take(coded_size)

    def finish(self) -> bool:
        """The table and the footer, which must say what the blocks said. Returns whether another archive follows."""
        table = b"".join(_varint(size) for size in self.sizes)
        if self.take(len(table)) != table:
            raise CompressedError("the archive is damaged: its table does not fit its blocks")
        crc = self.crc
        footer = FOOTER.pack(len(table), len(self.sizes) // 2, crc, END_MAGIC)
        if self.take(FOOTER.size) != footer:
            raise CompressedError("the archive is damaged: its checksum differs")
        self._next = _read(self.file, len(MAGIC))
        if self._next not in (b"", MAGIC):
            raise CompressedError("unexpected data after the end of the archive")
        return bool(self._next)


def _block_head(data: bytes) -> tuple[int, int, int, int, int]:
    """A block's kind, rows, raw and coded size and CRC, such as can be."""
    kind, rows, raw_size, coded_size, crc, check = BLOCK.unpack(data)
    if check != zlib.crc32(data[:-4]):  # before a wrong size costs time
        raise CompressedError("the archive is damaged: a block's checksum differs")
    fits = kind in (CODED, ALONE) and rows > 0 and coded_size < raw_size
    if kind == STORED:
        fits = coded_size == raw_size and rows == 0
    if not fits or not 0 < raw_size <= MAX_BLOCK:
        raise CompressedError("the archive is damaged: there is no such block")
    return kind, rows, raw_size, coded_size, crc


def _in_order(work: Callable, jobs: Iterator, threads: int) -> Iterator:
    """(job, work(job)) in the jobs' order, at most `threads` of them at once, and as many results waiting."""
    if threads <= 1:
        for job in jobs:
            yield job, work(job)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[tuple[object, Future]] = deque()
        try:
            for job in jobs:
                waiting.append((job, pool.submit(work, job)))
                if len(waiting) >= threads:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()


def _read(file: BinaryIO, size: int) -> bytes:
    """`size` bytes, or what is left; a pipe may give less at a time."""
    parts = []
    while size and (part := file.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = _read(file, size)
    if len(data) != size:
        raise CompressedError("the archive is cut short")
    return data


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the highest bit says that more follow."""
    data = bytearray()
    while number >= 128:
        data.append(number & 127 | 128)
        number >>= 7
    data.append(number)
    return bytes(data)


def _varints(data: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in data:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield number
            number = shift = 0
        elif shift > 56:
            raise CompressedError("the archive is damaged: its table does not fit its blocks")
