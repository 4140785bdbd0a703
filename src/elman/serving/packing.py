"""Packing: archives of what a request holds, and back within a limit."""

from __future__ import annotations

import io
from typing import Any

from ..compression import compress, decompress
from ..compression.predictor import predictor_of
from .refusal import Refused
from .served import Served


def packed_by(served: Served, data: bytes) -> bytes:
    target = io.BytesIO()
    compress(io.BytesIO(data), target, predictor_of(served.model))
    return target.getvalue()


def unpacked_by(served: Served, data: bytes, most: int) -> bytes:
    target = _Bounded(most)
    decompress(io.BytesIO(data), target, predictor_of(served.model))
    return target.getvalue()


class _Bounded(io.BytesIO):
    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > self._most:
            raise Refused(f"the archive unpacks to more than {self._most:,} bytes", 413)
        return super().write(data)
