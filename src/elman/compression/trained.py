"""A trained coder in one file: a network, a past, or both. `elman train-coder` writes it.

It is a model's file (model/file.py): its header has an object "coder", and its tensors a "past", coded as a block,
beside the integers of the network.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError, ModelFileError
from ..typed import Fields
from .blocks import code_of_past, decode_past
from .predictor import NO_MODEL, Predictor

if TYPE_CHECKING:
    from ..model import QuantisedModel

MAX_PAST = 1 << 20
"""Bytes of a trained past: reading more would cost seconds whenever a codec is made."""


def swapped(end: int) -> bytes:
    """Table for bytes.translate, its own inverse: the byte `end` and the line end in each other's place. The ids of a
    network that learned messages with another `end`: to it as to every other, a line end ends a record."""
    table = bytearray(range(256))
    table[end], table[10] = 10, end
    return bytes(table)


def predictor_for(model: QuantisedModel | None, past: bytes, end: int) -> Predictor:
    """Make the predictor of a model of bytes with this past. One that ends messages with another byte than the line end
    learned them `swapped`."""
    found = Predictor(None, NO_MODEL)
    if model is not None:
        ids = None if end == 10 else list(swapped(end))
        found = Predictor.from_integers(model.network, ids_of_bytes=ids, first=10)
    return found.with_past(past, end) if past or end != 10 else found


def to_file(model: QuantisedModel | None, past: bytes, end: int, about: dict[str, Any]) -> bytes:
    """The bytes of a file.

    Args:
        about: how it was made, for `elman info`; any JSON.
    """
    from ..model.container import to_bytes
    from ..model.file import PAST, describe

    header = {"needs": []} if model is None else describe(model)
    header |= {"run": about, "coder": {"end": end, "past": len(past), "crc": zlib.crc32(past)}}
    arrays = {} if model is None else model.named_parameters()
    if past:
        arrays[PAST] = np.frombuffer(code_of_past(past, None), np.uint8)
    return to_bytes(header, arrays)


def load_predictor(path: str | Path) -> Predictor:
    """The predictor of a model's file, with its past if it has one.

    Raises:
        ModelFileError: no whole file of a model, or of one that cannot predict bytes.
    """
    from ..model import QuantisedModel
    from ..model.container import read
    from ..model.file import PAST, model_of

    header, arrays = read(path)
    if "coder" not in header:
        return Predictor.of(model_of(path, header, arrays))
    try:
        coder = Fields(header["coder"], f"{path}: coder")
        end, size, crc = coder.whole("end", most=255), coder.whole("past", most=MAX_PAST), coder.whole("crc")
    except InputError as error:
        raise ModelFileError(str(error)) from None
    code, model = arrays.get(PAST), None
    if "cell" in header:
        model = model_of(path, header, arrays)
        if not isinstance(model, QuantisedModel):
            raise ModelFileError(f"{path}: a past beside a network that is not quantised; this reads none")
    past = b""
    if (code is not None) != (size > 0) or (code is not None and (code.dtype != np.uint8 or code.ndim != 1)):
        raise ModelFileError(f"{path}: damaged: it says that its past has {size} bytes, and its tensors differ")
    if code is not None:
        past = decode_past(code, size, crc, None)
    if past is None or zlib.crc32(past) != crc:
        raise ModelFileError(f"{path}: damaged: the checksum of its past differs")
    return predictor_for(model, past, end)
