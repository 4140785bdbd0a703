"""Changes to a file that know its fields: most repair the checksums, so that they reach what lies behind."""

from __future__ import annotations

import contextlib
import copy
import json
import random
import struct
import zlib
from typing import Any

import numpy as np
from safetensors.numpy import load as from_safetensors

from elman.kernels import _cpu
from elman.model.container import MODEL, to_bytes

# docs/reference/formats.md
ELZ_HEADER, ELZ_BLOCK, ELZ_FOOTER = struct.Struct("<4sBBBB8s"), struct.Struct("<BBIIII"), struct.Struct("<III4s")
ELR_HEADER, ELR_FOOTER = struct.Struct("<4sBBBB8sIIII"), struct.Struct("<QQQII4s")
GROUPS = np.dtype([("codes", "<u4"), ("index", "<u2"), ("crc", "<u4")])
ELR_PAST_LEVEL = 6
ODD = (
    None, True, False, 0, -1, 1, 2, 255, 256, 2**31 - 1, 2**31, 2**53, 10**30, 0.5, 1.5, -0.0, 1e308, "", "x", "\x00",
    "\ud800", "../x", "-", "none", "gru", "rnn_relu", "bpe", [], [[]] * 3, [0], [None], {}, {"a": {}}, {"a": 1},
)  # fmt: skip
"""Of JSON, in any place."""


def of_bytes(draw: random.Random, data: bytes) -> bytes:
    """A few bytes changed, cut, doubled, moved or left out; no checksum repaired."""
    new = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 5))):
        at, size = draw.randrange(len(new) + 1), draw.choice((1, 2, 4, 9, 40))
        kind = draw.randrange(6)
        if kind == 0 and at < len(new):
            new[at] ^= 1 << draw.randrange(8)
        elif kind == 1 and at < len(new):
            new[at] = draw.randrange(256)
        elif kind == 2:
            del new[at:]
        elif kind == 3:
            new[at:at] = new[at : at + size]
        elif kind == 4:
            del new[at : at + size]
        else:
            new[at : at + size] = draw.randbytes(size)
    return bytes(new)


def number(draw: random.Random, value: int, bits: int) -> int:
    """Another whole number of so many bits: near, doubled, a bit changed, an end of the range, or any."""
    most = (1 << bits) - 1
    choices = (
        value + 1,
        value - 1,
        2 * value,
        value ^ 1 << draw.randrange(bits),
        0,
        1,
        most,
        most >> 1,
        draw.randint(0, most),
    )
    return draw.choice(choices) & most


def of_json(draw: random.Random, value: Any) -> Any:
    """One place of a JSON value changed, at any depth: odd, removed, repeated, exchanged, or a number near it."""
    value = copy.deepcopy(value)
    inner, key = value, None
    places: list[tuple[Any, Any]] = []
    while isinstance(inner, dict | list) and inner:
        key = draw.choice(list(inner)) if isinstance(inner, dict) else draw.randrange(len(inner))
        places.append((inner, key))
        inner = inner[key]
        if draw.random() < 0.35:
            break
    if not places:
        return draw.choice(ODD)
    at, key = places[-1]
    kind, old = draw.randrange(6), at[key]
    if kind == 0:
        del at[key]
    elif kind == 1 and type(old) is int:
        at[key] = draw.choice((old + 1, old - 1, 2 * old, -old, old * 1.0, str(old)))
    elif kind == 1 and isinstance(old, str):
        at[key] = draw.choice((old + "x", old[:-1], old.upper(), old * 3, [old], "\x1b[2J" + old))
    elif kind == 2 and isinstance(at, list):
        at.insert(key, copy.deepcopy(old))
    elif kind == 3 and len(at) > 1:
        other = draw.choice(list(at)) if isinstance(at, dict) else draw.randrange(len(at))
        at[key], at[other] = at[other], at[key]
    else:
        at[key] = copy.deepcopy(draw.choice(ODD))
    return value


# --- archives ---


def archive(draw: random.Random, data: bytes) -> bytes:
    """Fields of an archive, with its checksums right; of what a changed block decodes to as well, mostly."""
    if draw.random() < 0.2:
        return of_bytes(draw, data)
    header = list(ELZ_HEADER.unpack(data[: ELZ_HEADER.size]))
    at, blocks = ELZ_HEADER.size + 4, []
    while data[at]:
        kind, rows, raw, coded, crc, _ = ELZ_BLOCK.unpack(data[at : at + ELZ_BLOCK.size])
        at += ELZ_BLOCK.size + coded
        blocks.append([kind, rows, raw, coded, crc, data[at - coded : at]])
    contract, level, changed, kind = header[2], header[3], set(), draw.randrange(8)
    i = draw.randrange(len(blocks)) if blocks else -1
    table: list[int] | None = None
    if kind == 0 or i < 0:
        field = draw.choice((1, 2, 3, 3, 4, 5))
        header[field] = draw.randbytes(8) if field == 5 else number(draw, header[field], 8)
    elif kind == 1:
        field = draw.randrange(5)
        blocks[i][field] = number(draw, blocks[i][field], 8 if field < 2 else 32)
        changed.add(i)
    elif kind in (2, 3):
        blocks[i][5] = of_bytes(draw, blocks[i][5])
        if draw.random() < 0.8:
            blocks[i][3] = len(blocks[i][5])
        changed.add(i)
    elif kind == 4:
        blocks.insert(draw.randrange(len(blocks) + 1), list(blocks[i]))
    elif kind == 5:
        del blocks[i]
    elif kind == 6:
        blocks[i][:2] = draw.choice(((1, 0), (2, draw.randrange(256)), (3, draw.randrange(1, 13))))
        changed.add(i)
    sizes = [size for block in blocks for size in block[2:4]]
    if kind == 7 and sizes:
        table = list(sizes)
        table[draw.randrange(len(table))] = draw.choice((0, 1, 127, 128, 2**14, 2**32, 2**64, 2**80))
    for i in changed:
        block = blocks[i]
        if draw.random() < 0.7 and 0 < block[2] < 1 << 18 and block[0] in (1, 2, 3):
            block[4] = zlib.crc32(_decoded(block, level, contract))
    head = ELZ_HEADER.pack(*header)
    new = head + struct.pack("<I", zlib.crc32(head))
    for kind_, rows, raw, coded, crc, code in blocks:
        head = ELZ_BLOCK.pack(kind_, rows, raw, coded, crc, 0)[:-4]
        new += head + struct.pack("<I", zlib.crc32(head)) + code
    packed = b"".join(map(_varint, sizes if table is None else table))
    new += b"\0" + packed
    footer = [len(packed), len(blocks), zlib.crc32(new), b"ELZ\x1a"]
    if draw.random() < 0.1:
        field = draw.randrange(3)
        footer[field] = number(draw, footer[field], 32)
    new += ELZ_FOOTER.pack(*footer)
    return new + data if draw.random() < 0.05 else new


def _decoded(block: list[Any], level: int, contract: int) -> bytes:
    kind, rows, raw, _, _, code = block
    if kind == 1:
        return code
    out = np.empty(raw, np.uint8)
    with contextlib.suppress(ValueError):
        code = np.frombuffer(code, np.uint8).copy()
        _cpu.decode_block(code, out, level=level, rows=max(rows, 1), predictor=None, contract=contract)
    return out.tobytes()


def _rows(size: int) -> int:
    return 12 if size >= 1 << 17 else 6 if size >= 3 << 15 else max(1, size >> 14)


def _varint(value: int) -> bytes:
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


# --- stores ---


def store(draw: random.Random, data: bytes) -> bytes:
    """Fields of a store, with its checksums right."""
    if draw.random() < 0.2:
        return of_bytes(draw, data)
    header = list(ELR_HEADER.unpack(data[: ELR_HEADER.size]))
    footer = list(ELR_FOOTER.unpack(data[-ELR_FOOTER.size :]))
    past_at = ELR_HEADER.size
    codes_at = past_at + header[7]
    directory_at = len(data) - ELR_FOOTER.size - GROUPS.itemsize * footer[1]
    index_at = directory_at - footer[2]
    past, codes, index = data[past_at:codes_at], data[codes_at:index_at], data[index_at:directory_at]
    directory = np.frombuffer(data[directory_at : -ELR_FOOTER.size], GROUPS).copy()
    kind = draw.randrange(7)
    if kind == 0:
        field = draw.choice((1, 2, 3, 4, 5, 6, 7, 8))
        header[field] = draw.randbytes(8) if field == 5 else number(draw, header[field], 8 if field < 5 else 32)
    elif kind == 1:
        field = draw.randrange(4)
        footer[field] = number(draw, footer[field], 64 if field < 3 else 32)
    elif kind == 2 and len(directory):
        entry, field = draw.randrange(len(directory)), draw.choice(("codes", "index", "crc"))
        bits = 16 if field == "index" else 32
        directory[entry][field] = number(draw, int(directory[entry][field]), bits)
    elif kind == 3 and codes:
        codes = _same_size(draw, codes)
    elif kind == 4 and index:
        index = _same_size(draw, index)
    elif kind == 5:
        past = of_bytes(draw, past)
        if draw.random() < 0.8:
            header[7] = len(past)
    else:
        past = _same_size(draw, past) if past else past
    if kind in (3, 4) and draw.random() < 0.9:  # as the groups' checksums say
        c = i = 0
        for entry in directory:
            group, sizes = codes[c : c + int(entry["codes"])], index[i : i + int(entry["index"])]
            entry["crc"] = zlib.crc32(sizes, zlib.crc32(group))
            c, i = c + len(group), i + len(sizes)
    if kind >= 5 and header[6] < 1 << 18 and draw.random() < 0.7:
        out = np.empty(header[6], np.uint8)
        code = np.frombuffer(past, np.uint8).copy()
        try:
            _cpu.decode_block(code, out, level=ELR_PAST_LEVEL, rows=_rows(len(out)), predictor=None)
            header[8] = zlib.crc32(out.tobytes())
        except ValueError:
            pass
    head = ELR_HEADER.pack(*header)[:-4]
    of_groups = directory.tobytes()
    foot = ELR_FOOTER.pack(*footer)[: ELR_FOOTER.size - 8]
    end = struct.pack("<I4s", zlib.crc32(foot, zlib.crc32(of_groups)), b"ELR\x1a")
    return head + struct.pack("<I", zlib.crc32(head)) + past + codes + index + of_groups + foot + end


def _same_size(draw: random.Random, data: bytes) -> bytes:
    new = bytearray(data)
    for _ in range(draw.choice((1, 2, 8))):
        new[draw.randrange(len(new))] = draw.choice((0, 255, 254, 252, draw.randrange(256)))
    return bytes(new)


# --- files of tensors ---


def tensors(draw: random.Random, data: bytes, kind: str = MODEL) -> bytes:
    """A model's file or a checkpoint: its header's fields, its tensors' types and shapes, under a right digest."""
    if draw.random() < 0.2:
        return of_bytes(draw, data)
    size = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(json.loads(json.loads(data[8:size])["__metadata__"][kind])["config"])
    arrays = from_safetensors(data)
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        if draw.random() < 0.75:
            header = of_json(draw, header)
        elif arrays:
            _change(draw, arrays)
    return to_bytes(header, arrays, kind)


def _change(draw: random.Random, arrays: dict[str, np.ndarray]) -> None:
    name = draw.choice(sorted(arrays))
    array, kind = arrays[name], draw.randrange(7)
    if kind == 0:
        del arrays[name]
    elif kind == 1:
        arrays[draw.choice(("x", name + "0", name[:-1], "past", "training.state.0"))] = array
    elif kind == 2:
        arrays[name] = array.astype(draw.choice((np.float64, np.float16, np.int8, np.int32, np.int64, np.uint8)))
    elif kind == 3:
        arrays[name] = np.ascontiguousarray(draw.choice((array[:1], array[:0], array[None], array.T, array.ravel())))
    elif kind == 4 and len(arrays) > 1:
        other = draw.choice(sorted(arrays))
        arrays[name], arrays[other] = arrays[other], arrays[name]
    else:
        changed = np.array(array)
        worst = (np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-40) if array.dtype.kind == "f" else (-128, 127, 0, -1)
        if changed.size:
            value = draw.choice(worst)
            with np.errstate(all="ignore"):
                changed.ravel()[draw.randrange(changed.size)] = np.array(value).astype(array.dtype)
        arrays[name] = changed


def json_bytes(draw: random.Random, data: bytes) -> bytes:
    """A file of JSON."""
    if draw.random() < 0.2:
        return of_bytes(draw, data)
    value = json.loads(data)
    for _ in range(draw.choice((1, 1, 2, 4))):
        value = of_json(draw, value)
    return json.dumps(value).encode()
