"""Messages by libelman's functions in C."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import c_char_p, c_int64, c_void_p
from pathlib import Path

from elman.export import to_plain
from elman.model import Model


class CCodec:
    """A model's codec, or one of contexts alone."""

    def __init__(self, library: Path, model: Model | None, past: bytes = b"") -> None:
        c = self.c = ctypes.CDLL(str(library))
        c.elman_error.restype, c.elman_open.restype, c.elman_codec_new.restype = c_char_p, c_void_p, c_void_p
        c.elman_open.argtypes, c.elman_codec_new.argtypes = [c_char_p, c_int64], [c_void_p, c_char_p, c_int64]
        c.elman_codec_free.argtypes = c.elman_close.argtypes = [c_void_p]
        for each in (c.elman_codec_encode, c.elman_codec_decode):
            each.restype, each.argtypes = c_int64, [c_void_p, c_char_p, c_int64, c_void_p, c_int64]
        container = b"" if model is None else to_plain(model)
        self.model = None if model is None else c.elman_open(container, len(container))
        self.codec = c.elman_codec_new(self.model, past, len(past))

    def close(self) -> None:
        self.c.elman_codec_free(self.codec)
        self.c.elman_close(self.model)

    def error(self) -> str:
        return self.c.elman_error().decode()

    def encode(self, message: bytes) -> bytes | None:
        return self._call(self.c.elman_codec_encode, message, len(message) + 1)

    def decode(self, code: bytes, most: int) -> bytes | None:
        """None where it was refused."""
        return self._call(self.c.elman_codec_decode, code, most)

    def _call(self, function: Callable[..., int], data: bytes, room: int) -> bytes | None:
        to = ctypes.create_string_buffer(max(room, 1))
        size = function(self.codec, data, len(data), to, room)
        return None if size < 0 else to.raw[:size]
