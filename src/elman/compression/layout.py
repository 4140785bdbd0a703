"""The parts of a store's file: how they are chosen, written and checked. docs/reference/formats.md has every field."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Any, BinaryIO

import numpy as np

from ..errors import CompressedError, InputError
from ..sources import compressed
from .codec import whole
from .handle import Handle
from .predictor import CONTRACT
from .weights import MARGINAL

MAGIC, END_MAGIC = b"\x89ELR", b"ELR\x1a"
VERSIONS = {1: (False, True), 2: (False, False), 3: (True, True), 4: (True, False)}
"""Versions of the format: the header's `one_pass` and `last_line_end`, which a reader that does not know one of them
refuses by its number. New stores are of the last two."""
HEADER = struct.Struct("<4sBBBB8sIIII")  # its last field: CRC-32 of those before it
DIRECTORY = np.dtype([("codes", "<u4"), ("index", "<u2"), ("crc", "<u4")])
FOOTER = struct.Struct("<QQQII4s")
GROUP = 64
MAX_PAST = 1 << 24
"""Bytes of the past, at most."""
MAX_RECORD = 1 << 24
CHUNK = 64 * GROUP
END = 10
"""The byte that ends a record where it is coded: of a line, its end."""


@dataclass(frozen=True)
class Header:
    """Header of a store.

    Attributes:
        contract: of the coder's arithmetic: 1, or 3 with a model of tokens of several bytes.
        last_line_end: whether a line end follows the last record.
        one_pass: whether the past is coded as it is learned; else as a block.
        end: the byte that ends a record where it is coded.
        digest: the first 8 bytes of the model's.
        past, past_code, past_crc: bytes of the past and of its code, and the CRC-32 of the past.
    """

    level: int
    end: int
    digest: bytes
    past: int
    past_code: int
    past_crc: int
    last_line_end: bool = True
    contract: int = CONTRACT
    one_pass: bool = True

    @property
    def teaches(self) -> tuple[object, ...]:
        """Settings by which records are coded."""
        return self.level, self.end, self.digest, self.past, self.past_code, self.past_crc, self.one_pass

    def pack(self) -> bytes:
        facts = self.one_pass, self.last_line_end
        version = next(number for number, known in VERSIONS.items() if known == facts)
        what = self.level, self.end, self.digest, self.past, self.past_code, self.past_crc
        data = HEADER.pack(MAGIC, version, self.contract, *what, 0)[:-4]
        return data + struct.pack("<I", zlib.crc32(data))

    @classmethod
    def read(cls, handle: Handle) -> Header:
        """Raises CompressedError where it is none that this version reads."""
        data = handle.read(HEADER.size, 0)
        if data[:4] != MAGIC:
            raise CompressedError(compressed(data) or "this is not a store that `elman store make` wrote")
        if len(data) < HEADER.size or handle.size < HEADER.size + FOOTER.size:
            raise CompressedError("the store is cut short")
        _, version, contract, level, end, digest, past, past_code, past_crc, crc = HEADER.unpack(data)
        if zlib.crc32(data[:-4]) != crc:
            raise CompressedError("the store is damaged: its header's checksum differs")
        if version not in VERSIONS or contract not in (CONTRACT, MARGINAL):
            raise CompressedError(
                f"the store is of version {version} and contract {contract}; this reads versions {min(VERSIONS)} to "
                f"{max(VERSIONS)} and contracts {CONTRACT} and {MARGINAL}"
            )
        if not 1 <= level <= 9 or past > MAX_PAST or past_code > handle.size:
            raise CompressedError("the store is damaged: its header has impossible values")
        one_pass, last_line_end = VERSIONS[version]
        return cls(level, end, digest, past, past_code, past_crc, last_line_end, contract, one_pass)


class Directory:
    """Positions of a store's groups of records.

    Attributes:
        count: records.
        longest: bytes of the longest record.
        entries: of each group the bytes of its codes and of its index, and the CRC-32 of both.
        codes_at, index_at: where each group's begin, and the end of all.
    """

    def __init__(self, handle: Handle, header: Header) -> None:
        """Raises CompressedError where it is not whole."""
        footer, begin = handle.read(FOOTER.size, handle.size - FOOTER.size), HEADER.size + header.past_code
        if len(footer) < FOOTER.size:
            raise CompressedError("the store is cut short")
        self.count, groups, index_size, self.longest, crc, magic = FOOTER.unpack(footer)
        at = handle.size - FOOTER.size - DIRECTORY.itemsize * groups
        fits = magic == END_MAGIC and groups == -(-self.count // GROUP) and self.longest <= MAX_RECORD
        if not fits or at - index_size < begin or not (self.count or header.last_line_end):
            raise CompressedError("the store is cut short or damaged: its end is missing")
        data = handle.read(DIRECTORY.itemsize * groups, at)
        if zlib.crc32(footer[: FOOTER.size - 8], zlib.crc32(data)) != crc:
            raise CompressedError("the store is damaged: the checksum of its directory differs")
        self.entries = np.frombuffer(data, DIRECTORY)
        self.codes_at = begin + _before(self.entries["codes"])
        self.index_at = at - index_size + _before(self.entries["index"])
        if self.codes_at[-1] != at - index_size or self.index_at[-1] != at:
            raise CompressedError("the store is damaged: its directory does not fit its records")

    def codes(self, handle: Handle, numbers: Iterable[int]) -> list[bytes]:
        """The codes of the records of these numbers; each group is read once, if it is among the last 64.

        Raises InputError for a number that no record has, CompressedError for a damaged group.
        """
        groups: dict[int, tuple[bytes, list[int]]] = {}
        codes, expected = [], f"the store has {self.count} records, from 0; there is no record {{}}"
        for given in numbers:
            group, place = divmod(whole(given, expected, 0, self.count - 1), GROUP)
            if group not in groups:
                groups = groups if len(groups) < 64 else {}
                groups[group] = self._group(handle, group)
            data, places = groups[group]
            codes.append(data[places[place] : places[place + 1]])
        return codes

    def _group(self, handle: Handle, number: int) -> tuple[bytes, list[int]]:
        """The codes of a group's records side by side; where each begins, and the end of the last.

        Raises CompressedError where they are damaged.
        """
        codes, index, crc = self.entries[number].item()
        data = handle.read(codes, self.codes_at.item(number))
        sizes = handle.read(index, self.index_at.item(number))
        if zlib.crc32(sizes, zlib.crc32(data)) != crc:
            raise CompressedError(f"the store is damaged around record {number * GROUP}: a checksum differs")
        places = list(accumulate(_sizes(sizes), initial=0))
        if places[-1] != len(data) or len(places) - 1 != min(GROUP, self.count - number * GROUP):
            raise CompressedError(f"the store is damaged around record {number * GROUP}: sizes differ")
        return data, places


def write_records(
    file: BinaryIO,
    records: Iterable[bytes],
    messages: Any,
    directory: list[tuple[int, int, int]] | None = None,
    index: bytes = b"",
    longest: int = 0,
) -> int:
    """Codes, index, directory and footer; `directory`, `index` and `longest` describe the groups that precede them.

    Returns:
        how many records there are now.
    Raises:
        InputError: a record that is too long for a store.
    """
    directory, index_bytes = list(directory or ()), bytearray(index)
    count, records = len(directory) * GROUP, iter(records)
    while chunk := list(islice(records, CHUNK)):
        longest = max(longest, *map(len, chunk))
        if longest > MAX_RECORD:
            raise InputError(f"a record is {longest} bytes; expected at most {MAX_RECORD}")
        codes = messages.encode(chunk)
        for start in range(0, len(codes), GROUP):
            group = codes[start : start + GROUP]
            data, sizes = b"".join(group), b"".join(_size(len(code)) for code in group)
            file.write(data)
            index_bytes += sizes
            directory.append((len(data), len(sizes), zlib.crc32(sizes, zlib.crc32(data))))
        count += len(chunk)
    file.write(index_bytes)
    data = np.array(directory, DIRECTORY).tobytes()
    footer = FOOTER.pack(count, len(directory), len(index_bytes), longest, 0, END_MAGIC)[: FOOTER.size - 8]
    file.write(data + footer + struct.pack("<I4s", zlib.crc32(footer, zlib.crc32(data)), END_MAGIC))
    return count


def _size(size: int) -> bytes:
    """0..251: a byte; to 1019: 252 to 254 and a byte; else 255 and four."""
    if size < 252:
        return bytes([size])
    if size < 252 + 3 * 256:
        return bytes([252 + (size - 252) // 256, (size - 252) % 256])
    return b"\xff" + struct.pack("<I", size)


def _sizes(index: bytes) -> Iterable[int]:
    return index if max(index, default=0) < 252 else _sizes_of_long(index)


def _sizes_of_long(index: bytes) -> Iterator[int]:
    at = 0
    while at < len(index):
        first = index[at]
        if first < 252:
            yield first
            at += 1
        elif first < 255:
            yield 252 + (first - 252) * 256 + int.from_bytes(index[at + 1 : at + 2])
            at += 2
        else:
            yield int.from_bytes(index[at + 1 : at + 5], "little")
            at += 5


def _before(sizes: np.ndarray) -> np.ndarray:
    """(n + 1): the sum of those before each, and of all."""
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
