"""The log as TensorBoard reads it: event files of scalars, written without its package.

An event file is a sequence of records: a length, a checksum of it, a protocol buffer `Event`, a checksum of that.
What is encoded here is the little of it that scalars need (tensorflow/core/util/event.proto, lib/io/record_writer.h).
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator, Sequence

from ..files import append_bytes, write_atomically
from .folder import RunFolder
from .log import Epoch


class Events:
    """A run's event file, begun anew from the epochs that it has; `add` goes on with it."""

    def __init__(self, run: RunFolder, log: Sequence[Epoch]) -> None:
        self._path = run.events
        self._path.parent.mkdir(parents=True, exist_ok=True)
        start = _double(1, time.time()) + _bytes(3, b"brain.Event:2")
        write_atomically(self._path, b"".join([_framed(start), *map(_of_epoch, log)]))

    def add(self, epoch: Epoch) -> None:
        append_bytes(self._path, _of_epoch(epoch))


def _of_epoch(epoch: Epoch) -> bytes:
    values = b"".join(_bytes(1, _bytes(1, name.encode()) + _float(2, value)) for name, value in scalars(epoch))
    return _framed(_double(1, time.time()) + _varint(2, epoch.epoch) + _bytes(5, values))


def scalars(epoch: Epoch) -> Iterator[tuple[str, float]]:
    """Values of an epoch to draw, by name."""
    yield "perplexity/train", epoch.train_perplexity
    if epoch.val_perplexity is not None:
        yield "perplexity/held-out", epoch.val_perplexity
    yield "gradient norm", epoch.grad_norm
    yield "learning rate", epoch.lr
    yield "characters per second", epoch.chars_per_second


def _framed(data: bytes) -> bytes:
    """A record of an event file: `data` with its length and both checksums."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", _masked(length)) + data + struct.pack("<I", _masked(data))


def _key(field: int, kind: int) -> bytes:
    return bytes([field << 3 | kind])


def _varint(field: int, value: int) -> bytes:
    return _key(field, 0) + _number(value)


def _number(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def _double(field: int, value: float) -> bytes:
    return _key(field, 1) + struct.pack("<d", value)


def _float(field: int, value: float) -> bytes:
    try:
        return _key(field, 5) + struct.pack("<f", value)
    except OverflowError:  # a finite number beyond float32
        return _key(field, 5) + struct.pack("<f", float("inf"))


def _bytes(field: int, value: bytes) -> bytes:
    return _key(field, 2) + _number(len(value)) + value


def _table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_TABLE = _table()


def crc32c(data: bytes) -> int:
    """Castagnoli's checksum. Source: RFC 3720, appendix B.4."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _masked(data: bytes) -> int:
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
