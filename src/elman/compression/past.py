"""The past of a store: lines that teach its coder, chosen, and coded as they are learned."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

from ..errors import CompressedError, InputError
from ..kernels import _cpu  # pyright: ignore[reportAttributeAccessIssue]
from .blocks import NO_SOUND_CODE, decode_past
from .codec import as_array
from .layout import END, Header
from .predictor import Predictor, native_of


def past_of(predictor: Predictor | None) -> bytes:
    """The lines that the model brings along. Raises InputError where its messages are no lines."""
    if predictor is None or not predictor.past:
        return b""
    if predictor.end != END:
        raise InputError(f"the messages of the model's past end with {predictor.end}; a store's messages are lines")
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


def learn_and_code(past: bytes, level: int, model: Predictor | None) -> tuple[Any, bytes]:
    """Make the coder of a new store's records, and the past's code.

    Raises InputError for a past that has no sound code.
    """
    before = past_of(model)
    settings = {"level": level, "end": END, "predictor": native_of(model)}
    taught = _cpu.Messages.encoding(as_array(before + past), len(before), **settings)
    if taught is None:
        raise InputError(NO_SOUND_CODE)
    return taught


def learn_from_code(code: bytes, header: Header, model: Predictor | None) -> Any:
    """Make the coder of a store's records. Raises CompressedError where the past that teaches it is damaged."""
    before = past_of(model)
    settings = {"level": header.level, "end": header.end, "predictor": native_of(model)}
    if header.one_pass:
        taught = _cpu.Messages.decoding(as_array(before), as_array(code), header.past, **settings)
        if taught is not None and zlib.crc32(taught[1]) == header.past_crc:
            return taught[0]
    elif (past := decode_past(code, header.past, header.past_crc, model)) is not None:
        return _cpu.Messages(as_array(before + past), **settings)
    raise CompressedError("the store is damaged: the checksum of its past differs")
