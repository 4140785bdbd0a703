"""Packing: archives of what a request holds, and back within a limit."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from ..compression import compress, decompress
from ..compression.predictor import predictor_of
from .refusal import Refused
from .served import Served


def packed_by(served: Served, data: bytes, going_on: Callable[[], None]) -> bytes:
    """An archive of bytes. `going_on` is called before each block; what it raises ends the work."""
    target = io.BytesIO()
    compress(_AttendedBytes(data, going_on), target, predictor_of(served.model))
    return target.getvalue()


def unpacked_by(served: Served, data: bytes, most: int, going_on: Callable[[], None]) -> bytes:
    """The bytes of an archive, at most so many. `going_on` as in `packed_by`."""
    target = _Bounded(most)
    decompress(_AttendedBytes(data, going_on), target, predictor_of(served.model))
    return target.getvalue()


class _AttendedBytes(io.BytesIO):
    """Bytes of which each reading calls `going_on` first."""

    def __init__(self, data: bytes, going_on: Callable[[], None]) -> None:
        super().__init__(data)
        self._going_on = going_on

    def read(self, size: int | None = -1, /) -> bytes:
        self._going_on()
        return super().read(size)


class _Bounded(io.BytesIO):
    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > self._most:
            raise Refused(f"the archive unpacks to more than {self._most:,} bytes", 413)
        return super().write(data)
