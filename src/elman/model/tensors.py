"""The format safetensors: named arrays behind a header of JSON, checked to the last byte before one is made.

The bytes are those that the library of that name writes; tests compare them, and what either reads.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

_DTYPES = {
    "U64": "<u8", "I64": "<i8", "F64": "<f8", "F32": "<f4", "U32": "<u4", "I32": "<i4",
    "F16": "<f2", "U16": "<u2", "I16": "<i2", "I8": "<i1", "U8": "<u1", "BOOL": "?",
}  # fmt: skip
"""NumPy's names of the types, in the order in which a file has its tensors; bfloat16 and others are not NumPy's."""
_NAMES = {np.dtype(dtype): name for name, dtype in _DTYPES.items()}
_ORDER = list(_DTYPES)
_LONGEST = 100_000_000
"""Bytes of a header, as the library bounds them."""


def to_bytes(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> bytes:
    """A file of these tensors, with this metadata.

    Raises:
        KeyError: a tensor's type is none that the format and NumPy have.
    """
    named = [(name, np.ascontiguousarray(tensor), _NAMES[tensor.dtype]) for name, tensor in tensors.items()]
    named.sort(key=lambda one: (_ORDER.index(one[2]), one[0]))
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for name, tensor, dtype in named:
        begin, end = end, end + tensor.nbytes
        header[name] = {"dtype": dtype, "shape": list(tensors[name].shape), "data_offsets": [begin, end]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join(
        [len(text).to_bytes(8, "little"), text, *(tensor.reshape(-1).view(np.uint8).data for _, tensor, _ in named)]
    )


def from_bytes(data: bytes) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The tensors of a file, copied, and its metadata.

    Raises:
        ValueError: the bytes are not such a file: a header that is no JSON or has other fields, a type that NumPy
            does not have, or tensors that overlap, leave a gap or end before or after the file.
    """
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > min(_LONGEST, len(data) - 8):
        raise ValueError("the file ends within its header")
    try:
        header = json.loads(data[8 : 8 + size].decode(), object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("the header nests too deeply") from None
    if data[8:9] != b"{":
        raise ValueError("the header is no JSON object")
    metadata = header.pop("__metadata__", None) or {}
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("__metadata__ holds something other than texts")
    "".join([*header, *metadata, *metadata.values()]).encode()  # half a surrogate pair is a ValueError
    places = {name: _place(name, said) for name, said in header.items()}
    tensors, end = {}, 0
    for name, (dtype, shape, begin, stop) in sorted(places.items(), key=lambda one: one[1][2:]):
        count = math.prod(shape)
        if begin != end or stop - begin != count * dtype.itemsize or 8 + size + stop > len(data):
            raise ValueError(f"tensor {name!r} is not where its type, its shape and the others say")
        tensors[name] = np.frombuffer(data, dtype, count, 8 + size + begin if count else 0).reshape(shape).copy()
        end = stop
    if 8 + size + end != len(data):
        raise ValueError(f"{len(data) - 8 - size - end:,} bytes follow the last tensor")
    return tensors, metadata


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, each of whose keys occurs once."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key of the header occurs twice")
    return found


def _place(name: str, said: Any) -> tuple[np.dtype[Any], tuple[int, ...], int, int]:
    """A tensor's type, shape and offsets, as the header says them."""
    if not isinstance(said, dict) or said.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"tensor {name!r} has other fields than dtype, shape and data_offsets")
    shape, offsets = said["shape"], said["data_offsets"]
    if not isinstance(said["dtype"], str) or said["dtype"] not in _DTYPES:
        raise ValueError(f"tensor {name!r} has a type that NumPy does not have")
    if not (_counts(shape) and _counts(offsets) and len(offsets) == 2):
        raise ValueError(f"tensor {name!r} has a shape or offsets that are no lists of counts")
    return np.dtype(_DTYPES[said["dtype"]]), tuple(shape), *offsets


def _counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(one) is int and 0 <= one < 2**63 for one in value)
