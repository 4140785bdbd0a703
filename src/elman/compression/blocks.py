"""The parts of an archive's file: how they are read and checked. archive.py has their order."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np

from ..errors import CompressedError, InputError
from ..kernels import _cpu  # pyright: ignore[reportAttributeAccessIssue]
from .codec import as_array
from .handle import Place
from .predictor import Predictor, matching, native_of
from .weights import MARGINAL

MAGIC, END_MAGIC, VERSION = b"\x89ELZ", b"ELZ\x1a", 1
STORE_MAGIC = b"\x89ELR"
HEADER = struct.Struct("<4sBBBB8s")
BLOCK = struct.Struct("<BBIIII")  # its last field: CRC-32 of those before it
FOOTER = struct.Struct("<III4s")
CRC = struct.Struct("<I")
CONTRACTS, CONTRACT_2_FROM = (1, 2, MARGINAL), 6
"""The coder's arithmetic (docs/reference/formats.md), and the level from which on new archives are of the second: it
makes them smaller and takes one and a half times the work. The third is for models of longer tokens, at any level."""
STORED, CODED, ALONE = 1, 2, 3
"""Kinds of blocks: stored unchanged; coded with the archive's model, if any; coded by contexts alone all the same."""

MAX_BLOCK = 1 << 24
"""Raw bytes of a block, at most: what a reader allocates, beside the tables (at most 150 MiB) and the code."""

PAST_LEVEL = 6
NO_SOUND_CODE = "the past was made to have no sound code; leave out a line of it"
MOST_ROWS = 12
"""Rows of a block beside a network of tokens of several bytes, each of which keeps sums over all its tokens."""


def rows_for(size: int) -> int:
    """Pieces of a block that are coded side by side with a network: more are faster and cost 1 to 25 % in size.

    Two of the kernel's tiles of six rows, one for each of two cores; one tile; or as many rows as have 16 KiB. The past
    of a store or a coder's model is coded in as many, network or none: its format does not carry the number.
    """
    return 12 if size >= 1 << 17 else 6 if size >= 3 << 15 else max(1, size >> 14)


def code_of_past(past: bytes, predictor: Predictor | None) -> bytes:
    """The past's code as one block, which is read with the past's size. Raises InputError for a past that has no sound
    code."""
    code = _cpu.encode_block(as_array(past), level=PAST_LEVEL, rows=rows_for(len(past)), predictor=native_of(predictor))
    if code is None:
        raise InputError(NO_SOUND_CODE)
    return code


def decode_past(code: Any, size: int, crc: int, predictor: Predictor | None) -> bytes | None:
    """The past of `size` bytes; None if it is damaged."""
    past = np.empty(size, np.uint8)
    sound = _cpu.decode_block(
        as_array(code), past, level=PAST_LEVEL, rows=rows_for(size), predictor=native_of(predictor)
    )
    return past.tobytes() if sound and zlib.crc32(past.data) == crc else None


class Models(dict[bytes, "Predictor | None"]):
    """The model of each digest, found once. Only the first archive refuses a model that it does not need."""

    def __init__(self, given: Predictor | None) -> None:
        self._given = given

    def __missing__(self, digest: bytes) -> Predictor | None:
        alone = bool(self) and not any(digest)
        self[digest] = matching("the archive", digest, None if alone else self._given)
        return self[digest]


def decoder(
    contract: int, level: int, model: Predictor | None
) -> Callable[[tuple[int, int, int, int, int, bytes]], bytes]:
    def decode(block: tuple[int, int, int, int, int, bytes]) -> bytes:
        raw_size, _, kind, rows, crc, code = block
        if kind == STORED:
            raw = code
        else:
            if contract == MARGINAL and rows > MOST_ROWS:
                raise CompressedError("the archive is damaged: there is no such block")
            out = np.empty(raw_size, np.uint8)
            network = native_of(model if kind == CODED else None)
            if not _cpu.decode_block(as_array(code), out, level=level, rows=rows, predictor=network, contract=contract):
                raise CompressedError("the archive is damaged: a block has no sound code")
            raw = out.tobytes()
        if zlib.crc32(raw) != crc:
            raise CompressedError("the archive is damaged: a block's checksum differs")
        return raw

    return decode


class Reader:
    """An archive that is read from its first byte to its last, which may be a pipe."""

    def __init__(self, file: BinaryIO | Place) -> None:
        self.file, self.size, self.crc = file, 0, 0
        self._table, self._blocks = bytearray(), 0
        self._next = b""  # what was read of the archive that follows

    def take(self, size: int) -> bytes:
        data = exactly(self.file, size)
        self.size += size
        self.crc = zlib.crc32(data, self.crc)
        return data

    def header(self) -> tuple[int, int, bytes]:
        """The contract, the level, and the digest's first 8 bytes. Raises CompressedError for a file that is no
        archive, or one of another version."""
        start = self._next or read_up_to(self.file, len(MAGIC))
        if start == STORE_MAGIC:
            raise CompressedError(
                "this is a store of lines, not an archive; `elman store get` (once `elman get`) reads it"
            )
        if start != MAGIC:
            raise CompressedError("this is not an archive that `elman compress` wrote")
        data = start + exactly(self.file, HEADER.size + CRC.size - len(MAGIC))
        self.size, self.crc, self._next = self.size + len(data), zlib.crc32(data), b""
        self._table, self._blocks = bytearray(), 0
        _, version, contract, level, flags, digest = HEADER.unpack(data[: HEADER.size])
        if CRC.unpack(data[HEADER.size :])[0] != zlib.crc32(data[: HEADER.size]):
            raise CompressedError("the archive is damaged: its header's checksum differs")
        if version != VERSION or contract not in CONTRACTS or flags or not 1 <= level <= 9:
            raise CompressedError(
                f"the archive is of version {version} and contract {contract}; this reads version {VERSION} and "
                f"contracts {CONTRACTS[0]} to {CONTRACTS[-1]}"
            )
        return contract, level, digest

    def blocks(self) -> Iterator[tuple[int, int, int, int, int, bytes]]:
        """(raw size, coded size, kind, rows, CRC of the raw bytes, code) of each."""
        while (kind := self.take(1)) != b"\0":
            head = block_head(kind + self.take(BLOCK.size - 1))
            kind_, rows, raw_size, coded_size, crc = head
            self._table += varint(raw_size) + varint(coded_size)
            self._blocks += 1
            yield raw_size, coded_size, kind_, rows, crc, self.take(coded_size)

    def finish(self) -> bool:
        """Read the table and the footer; raises CompressedError where they differ from what the blocks said. Returns
        whether another archive follows."""
        if self.take(len(self._table)) != self._table:
            raise CompressedError("the archive is damaged: its table does not fit its blocks")
        crc = self.crc
        footer = FOOTER.pack(len(self._table), self._blocks, crc, END_MAGIC)
        if self.take(FOOTER.size) != footer:
            raise CompressedError("the archive is damaged: its checksum differs")
        self._next = read_up_to(self.file, len(MAGIC))
        if self._next not in (b"", MAGIC):
            raise CompressedError("unexpected data after the end of the archive")
        return bool(self._next)


def block_head(data: bytes) -> tuple[int, int, int, int, int]:
    """A block's kind, rows, raw and coded size and CRC. Raises CompressedError for a header that no block can have."""
    kind, rows, raw_size, coded_size, crc, check = BLOCK.unpack(data)
    if check != zlib.crc32(data[:-4]):  # before a wrong size costs time
        raise CompressedError("the archive is damaged: a block's checksum differs")
    fits = kind in (CODED, ALONE) and rows > 0 and coded_size < raw_size
    if kind == STORED:
        fits = coded_size == raw_size and rows == 0
    if not fits or not 0 < raw_size <= MAX_BLOCK:
        raise CompressedError("the archive is damaged: there is no such block")
    return kind, rows, raw_size, coded_size, crc


def read_up_to(file: BinaryIO | Place, size: int) -> bytes:
    """`size` bytes, or what is left; a pipe may give less at a time."""
    parts = []
    while size and (part := file.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def exactly(file: BinaryIO | Place, size: int) -> bytes:
    """`size` bytes; raises CompressedError where the file ends before."""
    data = read_up_to(file, size)
    if len(data) != size:
        raise CompressedError("the archive is cut short")
    return data


def varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the highest bit says that more follow."""
    data = bytearray()
    while number >= 128:
        data.append(number & 127 | 128)
        number >>= 7
    data.append(number)
    return bytes(data)


def varints(data: bytes) -> Iterator[int]:
    """The numbers that `varint` wrote, below 2^28; raises CompressedError for a longer one."""
    number = shift = 0
    for byte in data:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield number
            number = shift = 0
        elif shift > 21:
            raise CompressedError("the archive is damaged: its table does not fit its blocks")
