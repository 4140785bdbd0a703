"""Codes that nobody's encoder made: what a few bytes can cost is bounded, and each is refused in one line."""

from __future__ import annotations

import io
import json
import random
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from compression_cases import english, predictor

from elman.compression import Codec, Store, compress, decompress, load_predictor, write_store
from elman.compression.archive import BLOCK, HEADER, STORED
from elman.compression.layout import FOOTER, Header
from elman.compression.trained import to_file
from elman.errors import CompressedError, ModelFileError
from elman.kernels import _cpu
from elman.model import container

PER_BYTE = 45_426
"""Bytes that a byte of code can make at most: 8 bits, where each bit of the eight costs -log2(65535/65536)."""
AHEAD = 12
"""Zeros behind a code's end that a decoder takes for digits of it."""


def array(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8) if data else np.zeros(0, np.uint8)


def made(code: bytes, size: int, rows: int = 1, contract: int = 1) -> tuple[bool, int]:
    """Whether it is taken, and the bytes up to the last that was decoded."""
    out = np.full(size, 0xA5, np.uint8)
    level = {1: 1, 2: 9}[contract]
    sound = _cpu.decode_block(array(code), out, level=level, rows=rows, predictor=None, contract=contract)
    return sound, int(np.flatnonzero(out != 0xA5).max(initial=-1)) + 1


def archive_of(code: bytes, raw_size: int, rows: int = 1, level: int = 9, raw_crc: int = 0) -> bytes:
    """With all checksums right but for the one of what is in it."""
    header = HEADER.pack(b"\x89ELZ", 1, 1, level, 0, bytes(8))
    data = header + struct.pack("<I", zlib.crc32(header))
    head = BLOCK.pack(2, rows, raw_size, len(code), raw_crc, 0)[:-4]
    return data + head + struct.pack("<I", zlib.crc32(head)) + code


@pytest.mark.parametrize("contract", [1, 2])
def test_a_few_bytes_of_code_do_not_make_millions(contract):
    draw = random.Random(1)
    for size in (0, 1, 2, 5, 10, 40):
        for rows in (1, 12):
            code = draw.randbytes(size)[:-1] + b"\1" if size else b""
            sound, done = made(code, 1 << 22, rows, contract)
            assert sound == (not size)  # of nothing: ones for ever, which no model is asked for
    sound, done = made(b"\1", 1 << 22, 1, contract)
    assert (sound, done <= PER_BYTE * (1 + AHEAD)) == (False, True)


@pytest.mark.parametrize("model", [None, predictor(H=8)], ids=["contexts", "gru"])
@pytest.mark.parametrize(("rows", "contract"), [(1, 1), (3, 1), (7, 1), (200, 1), (1, 2), (7, 2)])
def test_where_ones_follow_they_are_there(rows, contract, model):
    """Runs of 255 behind a text and between texts, in rows of which some are short, some empty."""
    native = None if model is None else model.native
    for data in (
        english(50) + b"\xff" * 400,
        b"\xff" * 300,
        english(30) + b"\xff" * 90 + english(9),
        b"\xff" * 80 + b"x",
    ):
        how = {"level": 3 * contract, "rows": rows, "predictor": native, "contract": contract}
        code = _cpu.encode_block(array(data), **how)
        assert code is not None
        out = np.zeros(len(data), np.uint8)
        assert _cpu.decode_block(array(code), out, **how)
        assert out.tobytes() == data


def test_bytes_made_to_have_no_sound_code_are_stored():
    """What a code of one byte makes until it is refused has that byte as its code. The encoder sees it."""
    found = 0
    for first in range(1, 255):
        out = np.full(128, 0xA5, np.uint8)
        if _cpu.decode_block(array(bytes([first])), out, level=1, rows=1, predictor=None):
            continue
        data = out.tobytes().rstrip(b"\xa5")
        if _cpu.encode_block(array(data), level=1, rows=1, predictor=None) is None:
            found += 1
            target, back = io.BytesIO(), io.BytesIO()
            compress(io.BytesIO(data), target, level=1)
            assert target.getvalue()[HEADER.size + 4] == STORED
            decompress(io.BytesIO(target.getvalue()), back)
            assert back.getvalue() == data
    assert found > 200


def test_a_message_without_an_end_ends():
    """However large max_size is: bytes that a code of few bytes makes are few."""
    draw = random.Random(2)
    past = b"".join(english(60, i).replace(b"\n", b" ") + b"\n" for i in range(30))
    for codec in (Codec(None, past), Codec(None), Codec(predictor(H=8), past), Codec(None, end=255)):
        refused = 0
        for code in (b"", b"\1", b"\xfe", b"\x80", *(draw.randbytes(draw.randrange(9)) for _ in range(60))):
            try:
                message = codec.decode(code, 1 << 50)
                assert len(message) <= PER_BYTE * (len(code) + AHEAD)
            except CompressedError:
                refused += 1
        assert refused


CHILD = """
import resource, sys
import elman.compression as ec
from elman.errors import ElmanError
ec.Codec(None, b"warm up" * 100)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
what, path = sys.argv[1:]
try:
    if what == "archive":
        ec.decompress(open(path, "rb"), open("/dev/null", "wb"))
    elif what == "parts":
        ec.Archive(path).read(0, 10)
    else:
        list(ec.Store(path))
    print("taken")
except ElmanError as error:
    print(type(error).__name__, str(error).count("\\n"))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def refused_in(what: str, path) -> int:
    """MiB that refusing it took."""
    done = subprocess.run([sys.executable, "-c", CHILD, what, str(path)], capture_output=True, text=True)
    verdict, mebibytes = done.stdout.splitlines()
    assert verdict == "CompressedError 0", done.stdout + done.stderr
    return int(mebibytes)


def test_what_a_hostile_archive_costs_to_refuse(tmp_path):
    path = tmp_path / "a.elz"
    path.write_bytes(archive_of(bytes(range(1, 11)), 1 << 24))
    assert path.stat().st_size == 48
    assert refused_in("archive", path) <= 190  # tables for 16 MiB, and those
    count = 100_000  # blocks of a byte, and a table of them
    block = archive_of(b"", 1, level=1, raw_crc=zlib.crc32(b"\xff"))
    header, block = block[: HEADER.size + 4], block[HEADER.size + 4 :]
    data = header + block * count + b"\0" + b"\1\0" * count
    path.write_bytes(data + struct.pack("<III4s", 2 * count, count, zlib.crc32(data) ^ 1, b"ELZ\x1a"))
    assert refused_in("archive", path) <= 20


def test_what_a_hostile_store_costs_to_refuse(tmp_path):
    """One whose past is 16 MiB made of a code of a few bytes."""
    path = tmp_path / "s.elr"
    write_store([b"x"], path)
    header = Header(9, 10, bytes(8), 1 << 24, 6, 0).pack()
    path.write_bytes(header + bytes(range(1, 7)) + bytes(FOOTER.size))
    assert refused_in("store", path) <= 2  # its end is looked at before its past
    write_store([b"x"], path, past=b"")
    path.write_bytes(header + bytes(range(1, 7)) + path.read_bytes()[32:])
    assert refused_in("store", path) <= 120


@pytest.mark.parametrize(
    ("coder", "text"),
    [
        ({"end": 1.5}, "coder: end is 1.5; expected a whole number of at least 0 and at most 255"),
        ({"end": True}, "coder: end is True"),
        ({"end": 256}, "coder: end is 256"),
        ({"end": "10"}, "coder: end is '10'"),
        ({"past": 1 << 40}, "coder: past is 1099511627776"),
        ({"past": -1}, "coder: past is -1"),
        ({"past": 2.0}, "coder: past is 2.0"),
        ({"past": 0}, "damaged: it says that its past has 0 bytes"),
        ({"crc": None}, "coder: crc is None"),
        ({"crc": 0}, "damaged: the checksum of its past differs"),
        (None, "coder is None; expected an object"),
        ([], "coder is a list; expected an object"),
    ],
)
def test_odd_fields_of_a_coder_are_one_line(coder, text, tmp_path):
    path = tmp_path / "m.model"
    path.write_bytes(to_file(None, b"one\ntwo\n", 10, {}))
    assert load_predictor(path).past == b"one\ntwo\n"
    header, arrays = container.read(path)
    header = json.loads(json.dumps(header))
    header["coder"] = header["coder"] | coder if isinstance(coder, dict) else coder
    path.write_bytes(container.to_bytes(header, arrays))
    with pytest.raises(ModelFileError) as caught:
        load_predictor(path)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_cut_of_a_store_is_refused(tmp_path):
    path, given = tmp_path / "s.elr", [english(20, i).replace(b"\n", b"/") for i in range(66)]
    write_store(given, path, past=b"", level=1, last_line_end=False)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(CompressedError), Store(path) as store:
            list(store)
