"""Stores (.elr): lines, each coded alone and read by its number, and a text that teaches the coder what they share.

    header     32 bytes   magic, version, contract, level, end; the model's digest, 8 bytes; sizes, CRC-32 of the past
    past                  the past, coded as a block
    codes                 of the records, one after another
    index                 of each record the size of its code: a byte, rarely more
    directory             of each group of 64 records: bytes of codes, bytes of index, CRC-32 of both; 10 bytes
    footer     36 bytes   records, groups, bytes of index, the longest record; CRC-32 of directory and footer, magic

Numbers are little-endian. docs/compression.md has every field.
"""

from __future__ import annotations

import os
import shutil
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, overload

import numpy as np

from ..errors import CompressedError, InputError
from ..files import staged
from ..kernels import _cpu  # pyright: ignore[reportAttributeAccessIssue]
from .archive import rows_for
from .codec import as_array
from .predictor import CONTRACT, Predictor, digest_of, matching, native_of, predictor_of

if TYPE_CHECKING:
    from ..model import LanguageModel

MAGIC, END_MAGIC, VERSION = b"\x89ELR", b"ELR\x1a", 1
HEADER = struct.Struct("<4sBBBB8sIIII")  # its last field: CRC-32 of those before it
DIRECTORY = np.dtype([("codes", "<u4"), ("index", "<u2"), ("crc", "<u4")])
FOOTER = struct.Struct("<QQQII4s")
GROUP = 64
MAX_PAST = 1 << 24
"""Bytes of the past, at most; reading a store takes about 100 MB beside it, and what the longest record takes."""

MAX_RECORD = 1 << 24
PAST_LEVEL = 6
CHUNK = 64 * GROUP
END = 10


def write_store(
    lines: Iterable[bytes],
    path: str | Path,
    model: Predictor | LanguageModel | None = None,
    *,
    past: bytes | None = None,
    past_size: int = 1 << 18,
    level: int = 6,
) -> None:
    """Write a store of `lines`, which have no line end in them.

    Args:
        lines: the records.
        path: of the file, which is replaced once the new one is whole.
        model: a model of bytes, what `load_predictor` read, or None.
        past: lines that teach the coder, each with its line end, such as those of a store beside this one, after those
            of the model; if None and the model has none, a choice of the records.
        past_size: bytes of that choice, at most, and at most an eighth of the records.
        level: 1..9.
    """
    if not 1 <= level <= 9:
        raise InputError(f"level is {level}; expected 1..9")
    predictor = predictor_of(model)
    learned = _past_of(predictor)
    if past is None and learned:
        past = b""
    if past is None:
        lines = list(lines)
        past = choose_past(lines, min(past_size, sum(map(len, lines)) // 8))
    if len(past) > MAX_PAST:
        raise InputError(f"the past is {len(past)} bytes; expected at most {MAX_PAST}")
    code = _cpu.encode_block(as_array(past), level=PAST_LEVEL, rows=rows_for(len(past)), predictor=native_of(predictor))
    with staged(path) as file:
        header = HEADER.pack(
            MAGIC, VERSION, CONTRACT, level, END, digest_of(predictor)[:8], len(past), len(code), zlib.crc32(past), 0
        )[:-4]
        file.write(header + struct.pack("<I", zlib.crc32(header)))
        file.write(code)
        messages = _cpu.Messages(as_array(learned + past), level=level, end=END, predictor=native_of(predictor))
        _write_records(file, lines, messages, [], b"", 0)


def _past_of(predictor: Predictor | None) -> bytes:
    """What the model brings along: lines."""
    if predictor is None or not predictor.past:
        return b""
    if predictor.end != END:
        raise InputError(f"the messages of the model's past end with {predictor.end}; those of a store are lines")
    return predictor.past


def choose_past(lines: Sequence[bytes], size: int) -> bytes:
    """Different lines from all over, of `size` bytes at most: what the coder learns from, in their order."""
    total = sum(map(len, lines)) + len(lines)
    if not lines or size <= 0:
        return b""
    share, due, chosen, seen = min(1.0, size / total), 0.0, bytearray(), set()
    for line in lines:
        due += share * (len(line) + 1)
        if due >= len(line) + 1 and line not in seen and len(chosen) + len(line) < size:
            due -= len(line) + 1
            seen.add(line)
            chosen += line + b"\n"
    return bytes(chosen)


class Store(Sequence[bytes]):
    """A store on disk as a sequence of its records: len, indices from either end, slices, iteration.

    Args:
        path: of the file.
        model: the one that it was made with, or None.
    Raises:
        CompressedError: no whole store, or one of another model; later, from a record that is damaged.
    """

    def __init__(self, path: str | Path, model: Predictor | LanguageModel | None = None) -> None:
        self.path, self._model = Path(path), predictor_of(model)
        self._file = open(path, "rb")  # noqa: SIM115  (closed by `close`)
        try:
            self._open()
        except BaseException:
            self._file.close()
            raise

    def _open(self) -> None:
        file = self._file
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        header = file.read(HEADER.size)
        if header[:4] != MAGIC:
            raise CompressedError("this is not a store that `elman compress --records` wrote")
        if len(header) < HEADER.size or size < HEADER.size + FOOTER.size:
            raise CompressedError("the store is cut short")
        _, version, contract, self.level, self.end, digest, past_size, past_code, past_crc, crc = HEADER.unpack(header)
        if zlib.crc32(header[:-4]) != crc:
            raise CompressedError("the store is damaged: its header's checksum differs")
        if version != VERSION or contract != CONTRACT or not 1 <= self.level <= 9 or past_size > MAX_PAST:
            raise CompressedError(
                f"the store is of version {version} and contract {contract}; this reads {VERSION} and {CONTRACT}"
            )
        self._model = matching("the store", digest, self._model)
        self._at = HEADER.size + past_code
        self._read_directory(size)
        file.seek(HEADER.size)
        code, past = file.read(past_code), np.empty(past_size, np.uint8)
        rows = rows_for(past_size)
        _cpu.decode_block(as_array(code), past, level=PAST_LEVEL, rows=rows, predictor=native_of(self._model))
        if zlib.crc32(past.data) != past_crc:
            raise CompressedError("the store is damaged: the checksum of its past differs")
        past = as_array(_past_of(self._model) + past.tobytes())
        self._messages = _cpu.Messages(past, level=self.level, end=self.end, predictor=native_of(self._model))

    def _read_directory(self, size: int) -> None:
        file = self._file
        file.seek(size - FOOTER.size)
        footer = file.read(FOOTER.size)
        self._count, groups, self._index_size, self.longest, crc, magic = FOOTER.unpack(footer)
        at = size - FOOTER.size - DIRECTORY.itemsize * groups
        fits = magic == END_MAGIC and groups == -(-self._count // GROUP) and self.longest <= MAX_RECORD
        if not fits or at - self._index_size < self._at:
            raise CompressedError("the store is cut short or damaged: its end is missing")
        file.seek(at)
        data = file.read(DIRECTORY.itemsize * groups)
        if zlib.crc32(footer[: FOOTER.size - 8], zlib.crc32(data)) != crc:
            raise CompressedError("the store is damaged: the checksum of its directory differs")
        self._directory = np.frombuffer(data, DIRECTORY)
        self._codes_at = self._at + _before(self._directory["codes"])
        self._index_at = at - self._index_size + _before(self._directory["index"])
        if self._codes_at[-1] != at - self._index_size or self._index_at[-1] != at:
            raise CompressedError("the store is damaged: its directory does not fit its records")

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, number: int) -> bytes: ...
    @overload
    def __getitem__(self, number: slice) -> list[bytes]: ...
    def __getitem__(self, number: int | slice) -> bytes | list[bytes]:
        if isinstance(number, slice):
            return self.get(range(*number.indices(self._count)))
        if not -self._count <= number < self._count:
            raise IndexError(f"record {number} of a store of {self._count}")
        return self.get([number % self._count])[0]

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, self._count, CHUNK):
            yield from self.get(range(start, min(start + CHUNK, self._count)))

    def get(self, numbers: Iterable[int]) -> list[bytes]:
        """The records of these numbers, in this order; many at once are sooner than one by one."""
        groups: dict[int, list[bytes]] = {}
        codes = []
        for number in numbers:
            if not 0 <= number < self._count:
                raise InputError(f"the store has {self._count} records, from 0; there is no record {number}")
            group = number // GROUP
            if group not in groups:
                groups = groups if len(groups) < 64 else {}
                groups[group] = self._codes(group)
            codes.append(groups[group][number % GROUP])
        records, too_long = self._messages.decode(codes, self.longest)
        if too_long >= 0:
            raise CompressedError("the store is damaged: a record is longer than the longest")
        return records

    def _codes(self, group: int) -> list[bytes]:
        entry = self._directory[group]
        self._file.seek(self._codes_at[group])
        data = self._file.read(int(entry["codes"]))
        self._file.seek(self._index_at[group])
        index = self._file.read(int(entry["index"]))
        if zlib.crc32(index, zlib.crc32(data)) != entry["crc"]:
            raise CompressedError(f"the store is damaged around record {group * GROUP}: a checksum differs")
        codes, at = [], 0
        for size in _sizes(index):
            codes.append(data[at : at + size])
            at += size
        if at != len(data) or len(codes) != min(GROUP, self._count - group * GROUP):
            raise CompressedError(f"the store is damaged around record {group * GROUP}: sizes differ")
        return codes

    def append(self, lines: Iterable[bytes]) -> None:
        """Add records. The file is written anew beside itself, so that a fault leaves it as it was."""
        whole = len(self._directory) - bool(self._count % GROUP)  # the groups that stay as they are
        rest = self.get(range(whole * GROUP, self._count))
        index_size = int(self._index_at[whole] - self._index_at[0])
        self._file.seek(self._index_at[0])
        index = self._file.read(index_size)
        with staged(self.path) as file:
            self._file.seek(0)
            _copy(self._file, file, int(self._codes_at[whole]))
            before = [(int(e["codes"]), int(e["index"]), int(e["crc"])) for e in self._directory[:whole]]
            _write_records(file, _chain(rest, lines), self._messages, before, index, self.longest)
        self._file.close()
        self._file = open(self.path, "rb")  # noqa: SIM115
        self._read_directory(self._file.seek(0, os.SEEK_END))

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _write_records(
    file: BinaryIO, lines: Iterable[bytes], messages, directory: list[tuple[int, int, int]], index: bytes, longest: int
) -> None:
    """Codes, index, directory and footer; `directory`, `index` and `longest` are of groups that are there already."""
    index_bytes = bytearray(index)
    count = len(directory) * GROUP
    for chunk in _chunks(lines, CHUNK):
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


def _size(size: int) -> bytes:
    """0..251: a byte; to 1019: 252 to 254 and a byte; else 255 and four."""
    if size < 252:
        return bytes([size])
    if size < 252 + 3 * 256:
        return bytes([252 + (size - 252) // 256, (size - 252) % 256])
    return b"\xff" + struct.pack("<I", size)


def _sizes(index: bytes) -> Iterator[int]:
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


def _chunks(lines: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    chunk = []
    for line in lines:
        chunk.append(bytes(line))
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _chain(first: list[bytes], rest: Iterable[bytes]) -> Iterator[bytes]:
    yield from first
    yield from rest


def _copy(source: BinaryIO, target: BinaryIO, size: int) -> None:
    shutil.copyfileobj(_Part(source, size), target)  # pyright: ignore[reportArgumentType]


class _Part:
    """The next `size` bytes of a file."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.left = file, size

    def read(self, size: int) -> bytes:
        data = self.file.read(min(size, self.left))
        self.left -= len(data)
        return data
