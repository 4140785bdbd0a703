"""Our reader and writer of safetensors beside the library's: the same bytes, and nothing read that it would refuse."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from safetensors import SafetensorError
from safetensors.numpy import load, save

from elman.model.tensors import _DTYPES, from_bytes, to_bytes

NAMES = ("", "a", "bias", 'quote" and \\', "日本", "\x00\x1f\x7f\n", "layer.weight_hh_l0", "\U0001f600")


def file(draw: np.random.Generator) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Some tensors of any types and shapes, with metadata."""
    tensors = {}
    for name in draw.permutation(NAMES)[: draw.integers(0, 6)]:
        shape = tuple(draw.integers(0, 5, draw.integers(0, 4)))
        filled = draw.integers(0, 100, shape)
        tensors[str(name)] = np.asarray(filled).astype(draw.choice(list(_DTYPES.values())))
    return tensors, {str(draw.choice(NAMES)): str(draw.choice(NAMES))}


def same(one, other):
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert (tensor.dtype, tensor.shape) == (other[name].dtype, other[name].shape)
        assert tensor.tobytes() == other[name].tobytes()


def test_bytes_are_the_librarys():
    for seed in range(200):
        tensors, metadata = file(np.random.default_rng(seed))
        data = to_bytes(tensors, metadata)
        assert data == save(tensors, metadata), seed
        read, told = from_bytes(data)
        assert told == metadata
        same(read, tensors)
        assert all(tensor.flags.writeable and tensor.flags.aligned for tensor in read.values())


def test_what_it_reads_the_library_reads():
    draw, read = np.random.default_rng(7), 0
    for _ in range(3000):
        changed = bytearray(to_bytes(*file(draw)))
        for _ in range(draw.integers(1, 3)):
            at, length, how = int(draw.integers(len(changed))), int(draw.integers(1, 20)), draw.integers(4)
            if how == 0:
                changed[at] = draw.integers(256)
            elif how == 1:
                changed[at] = draw.choice(list(b'0123456789[]{},:" '))
            elif how == 2:
                del changed[at : at + length]
                changed = changed or bytearray(1)
            else:
                changed[at:at] = changed[at : at + length]
        try:
            tensors, _ = from_bytes(bytes(changed))
        except ValueError:
            continue
        read += 1
        same(tensors, load(bytes(changed)))
    assert read > 100  # where a name, a text or a value changed


def crafted(header: str | bytes, body: bytes = bytes(8)) -> bytes:
    text = header.encode() if isinstance(header, str) else header
    return struct.pack("<Q", len(text)) + text + body


ONE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def changed(**fields: object) -> bytes:
    return crafted(json.dumps({"a": ONE | fields}))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "ends within its header"),
        (bytes(7), "ends within its header"),
        (struct.pack("<Q", 2**63) + bytes(99), "ends within its header"),
        (crafted(b"\xff" * 8), "utf-8"),
        (crafted("[" * 100_000), "nests too deeply|Expecting value"),
        (crafted(' {"a":1}'), "no JSON object"),
        (crafted("[]      "), "no JSON object"),
        (crafted(f'{{"a":{json.dumps(ONE)},"a":{json.dumps(ONE)}}}'), "occurs twice"),
        (crafted(f'{{"\\ud800":{json.dumps(ONE)}}}'), "surrogates not allowed"),
        (crafted(json.dumps({"__metadata__": {"a": 1}, "b": ONE})), "other than texts"),
        (crafted(json.dumps({"__metadata__": [1], "b": ONE})), "other than texts"),
        (crafted(json.dumps({"a": 1})), "other fields than dtype"),
        (changed(dtype="BF16"), "a type that NumPy does not have"),
        (changed(dtype=["F32"]), "a type that NumPy does not have"),
        (changed(shape=[2.0]), "no lists of counts"),
        (changed(shape=[-2]), "no lists of counts"),
        (changed(shape=[True, 2]), "no lists of counts"),
        (changed(shape=[2**64]), "no lists of counts"),
        (changed(shape="2"), "no lists of counts"),
        (changed(data_offsets=[0]), "no lists of counts"),
        (changed(shape=[3]), "not where its type"),
        (changed(data_offsets=[4, 12]), "not where its type"),
        (changed(data_offsets=[8, 0]), "not where its type"),
        (changed(shape=[4], data_offsets=[0, 16]), "not where its type"),
        (changed(shape=[1], data_offsets=[0, 4]), "4 bytes follow"),
        (changed(shape=[1] * 99, data_offsets=[0, 4]), "dimension"),
        (crafted(json.dumps({"a": ONE, "b": ONE})), "not where its type"),
    ],
)
def test_refused(data, why):
    with pytest.raises(ValueError, match=why):
        from_bytes(data)
    if "BF16" not in str(data) and "twice" not in why:  # which the library knows, and lets pass
        with pytest.raises((SafetensorError, ValueError, TypeError, RuntimeError)):
            load(data)


def test_empty_and_tensors_without_elements():
    nothing = {"dtype": "F64", "shape": [2**40, 0], "data_offsets": [8, 8]}
    tensors, metadata = from_bytes(crafted(json.dumps({"a": ONE, "z": nothing})))
    assert (tensors["z"].shape, tensors["a"].shape, metadata) == ((2**40, 0), (2,), {})
    assert from_bytes(crafted("{}", b"")) == ({}, {})
