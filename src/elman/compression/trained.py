"""What samples taught, in one file: a network, a past, or both. `elman compress --train` writes it.

It is a model's file (model/file.py): its header has an object "coder", and its tensors a "past", coded as a block,
beside the integers of the network.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import CompressedError, ModelFileError
from ..kernels import _cpu  # pyright: ignore[reportAttributeAccessIssue]
from .blocks import rows_for
from .codec import as_array
from .predictor import NO_MODEL, Predictor, swapped

if TYPE_CHECKING:
    from ..model import QuantisedModel

LEVEL = 6
MAX_PAST = 1 << 20
"""Bytes of a trained past: reading more would cost seconds whenever a codec is made."""


def code_of_past(past: bytes) -> bytes:
    return _cpu.encode_block(as_array(past), level=LEVEL, rows=rows_for(len(past)), predictor=None)


def predictor_for(model: QuantisedModel | None, past: bytes, end: int) -> Predictor:
    """Of a model of bytes with this past. One that ends messages with another byte than the line end learned them
    `swapped`."""
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
    from ..model.file import PAST, describe, to_bytes

    header = {"needs": []} if model is None else describe(model)
    header |= {"run": about, "coder": {"end": end, "past": len(past), "crc": zlib.crc32(past)}}
    arrays = {} if model is None else model.named_parameters()
    if past:
        arrays[PAST] = np.frombuffer(code_of_past(past), np.uint8)
    return to_bytes(header, arrays)


def load_predictor(path: str | Path) -> Predictor:
    """The predictor of a model's file, with its past if it has one.

    Raises:
        ModelFileError: no whole file of a model, or of one that cannot predict bytes.
    """
    from ..model import QuantisedModel
    from ..model.file import PAST, model_of, read

    header, arrays = read(path)
    if "coder" not in header:
        return Predictor.of(model_of(path, header, arrays))
    code, coder, model = arrays.get(PAST), header["coder"], None
    try:
        if "cell" in header:
            model = model_of(path, header, arrays)
            if not isinstance(model, QuantisedModel):
                raise ValueError
        end, size, crc = coder["end"], coder["past"], coder["crc"]
        if not 0 <= end <= 255 or not 0 <= size <= MAX_PAST or (size > 0) != (code is not None):
            raise ValueError
        past = np.empty(size, np.uint8)
        if code is not None:
            _cpu.decode_block(code, past, level=LEVEL, rows=rows_for(size), predictor=None)
        if zlib.crc32(past.data) != crc:
            raise ValueError
    except (KeyError, TypeError, ValueError, CompressedError):
        raise ModelFileError(f"{path}: damaged: what it says of its network or its past is not so") from None
    return predictor_for(model, past.tobytes(), end)
