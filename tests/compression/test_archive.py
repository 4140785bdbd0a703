"""Archives: round trips, bounds, what is refused, and files that must be read for ever."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import random
import struct
import time
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from compression_cases import english, float_weights, inputs, integers, predictor, subwords

from elman.compression import Archive, Predictor, compress, decompress, write_store
from elman.compression import archive as archive_module
from elman.compression.blocks import BLOCK, HEADER
from elman.errors import CompressedError, InputError

GOLDEN = Path(__file__).parents[1] / "golden"


def packed(data: bytes, model: Predictor | None = None, **options) -> bytes:
    target = io.BytesIO()
    totals = compress(io.BytesIO(data), target, model, **options)
    assert (totals.raw, totals.coded) == (len(data), len(target.getvalue()))
    return target.getvalue()


def unpacked(archive: bytes, model: Predictor | None = None, **options) -> bytes:
    target = io.BytesIO()
    totals = decompress(io.BytesIO(archive), target, model, **options)
    assert (totals.raw, totals.coded) == (len(target.getvalue()), len(archive))
    return target.getvalue()


@pytest.fixture(scope="module")
def gru():
    return predictor()


@pytest.fixture(scope="module")
def whole():
    return integers()


@pytest.mark.parametrize("name", inputs())
@pytest.mark.parametrize("level", [1, 3, 6, 9])
def test_round_trip(name, level, gru, whole):
    data = inputs()[name]
    for model in (None, gru, whole, subwords(integers)):
        archive = packed(data, model, level=level)
        assert unpacked(archive, model) == data
        assert len(archive) <= len(data) * 1.001 + 64


@pytest.mark.parametrize("cell", ["rnn_relu", "rnn_tanh", "lstm"])
def test_round_trip_of_every_cell(cell):
    data = english(6_000)
    for model in (predictor(cell, L=2), integers(cell, L=2)):
        assert unpacked(packed(data, model), model) == data


def test_a_vocabulary_of_characters_codes_every_byte():
    letters = {byte: 1 + i for i, byte in enumerate(b"abcdefghijklmnopqrstuvwxyz .,\n")}
    model = predictor(V=1 + len(letters), ids_of_bytes=[letters.get(byte, -1) for byte in range(256)])
    same = integers(V=1 + len(letters), ids_of_bytes=[letters.get(byte, -1) for byte in range(256)])
    for data in inputs().values():
        for each in (model, same):
            assert unpacked(packed(data[:5000], each), each) == data[:5000]


def test_text_gets_smaller_and_runs_almost_vanish():
    assert len(packed(english(50_000))) < 50_000 * 0.3
    assert len(packed(b"\xff" * 200_000)) < 100


def test_blocks_threads_and_pipes_give_the_same_bytes(gru):
    data = english(15_000)

    class Pipe(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, 777))

    once = packed(data, gru, block_size=4_000)
    assert packed(data, gru, block_size=4_000, threads=3) == once
    target = io.BytesIO()
    compress(Pipe(data), target, gru, block_size=4_000)  # pyright: ignore
    assert target.getvalue() == once
    assert unpacked(once, gru, threads=3) == data
    target = io.BytesIO()
    decompress(Pipe(once), target, gru)  # pyright: ignore
    assert target.getvalue() == data


def test_an_embedding_that_changes_nothing_changes_no_code():
    layers, output = float_weights("gru", 24, 1, 256)
    plain, embedded = (Predictor.from_arrays("gru", layers, *output, embedding=e) for e in (None, np.eye(256)))
    data = english(2_000)
    archive = packed(data, embedded)
    assert archive[HEADER.size + 4 : -16] == packed(data, plain)[HEADER.size + 4 : -16]  # but for header and CRC-32
    assert embedded.digest != plain.digest
    assert unpacked(archive, embedded) == data


def test_a_network_that_is_of_no_use_takes_no_part(gru):
    data = english(70_000)
    with_network, alone = packed(data, gru, level=1), packed(data, level=1)
    assert (with_network[HEADER.size + 4], alone[HEADER.size + 4]) == (3, 2)
    assert with_network[HEADER.size + 4 + BLOCK.size :][:1000] == alone[HEADER.size + 4 + BLOCK.size :][:1000]
    assert unpacked(with_network, gru) == data


def test_each_block_is_judged_by_itself(monkeypatch, gru):
    monkeypatch.setattr(archive_module, "is_worthwhile", lambda raw, model: b"the" in raw)
    data = english(3_000) + b"0123 4567 89\n" * 300 + english(3_000) + random.Random(1).randbytes(1_000)
    archive = packed(data, gru, block_size=1_000)
    kinds, at = [], HEADER.size + 4
    while archive[at]:
        kinds.append(archive[at])
        at += BLOCK.size + BLOCK.unpack(archive[at : at + BLOCK.size])[3]
    assert set(kinds) == {1, 2, 3}
    assert unpacked(archive, gru) == data


def test_parts_are_read_alone(tmp_path, gru):
    data = english(50_000)
    (tmp_path / "a.elz").write_bytes(packed(data, gru, block_size=8_192))
    with Archive(tmp_path / "a.elz", gru) as archive:
        assert len(archive) == len(data)
        assert len(archive.blocks) == 7
        for start, size in (
            (0, 0),
            (50_000, 5),
            (0, 10),
            (8_190, 5),
            (20_000, 20_000),
            (49_990, 100),
            (0, None),
            (60_000, 5),
        ):
            assert archive.read(start, size) == data[start:][:size]


def test_places_that_cannot_be_are_refused(tmp_path):
    (tmp_path / "a.elz").write_bytes(packed(b"abc" * 100))
    archive = Archive(tmp_path / "a.elz")
    for start, size in ((-5, 10), (0, -1), (1.0, 2), ("0", 2), (0, 2.5), (1 << 70, 1), (0, 1 << 70), (None, 1)):
        with pytest.raises(InputError, match=r"^(start|size) is .*; expected 0 or more$"):
            archive.read(start, size)  # pyright: ignore
    archive.close()
    with pytest.raises(InputError, match=r"a\.elz: the archive is closed"):
        archive.read()


def test_a_table_of_more_than_the_file_can_hold_is_not_read(tmp_path):
    """A footer that claims millions of blocks, over a file of zeros and over one of plausible sizes."""
    empty = packed(b"")
    header = empty[: HEADER.size + 4]
    for fill, each in ((bytes(3_000_000), 2), (b"\x01\x01" * 1_500_000, 2), (b"\x81\x81\x81\x01" * 750_000, 8)):
        count = len(fill) // each
        end = struct.pack("<III4s", len(fill), count, 0, b"ELZ\x1a")
        (tmp_path / "a.elz").write_bytes(header + b"\0" + fill + end)
        tracemalloc.start()
        with pytest.raises(CompressedError, match="the archive is"):
            Archive(tmp_path / "a.elz")
        assert tracemalloc.get_traced_memory()[1] < 100_000
        tracemalloc.stop()


@pytest.mark.slow
def test_memory_is_bounded_by_blocks_not_by_the_file():
    class Endless(io.RawIOBase):
        left = 4_000_000

        def read(self, size=-1):
            size = min(size, self.left)
            self.left -= size
            return bytes(size)

    class Sink(io.RawIOBase):
        def write(self, data):
            return len(data)

    tracemalloc.start()
    compress(Endless(), Sink(), level=1, block_size=1 << 17)  # pyright: ignore
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_another_model_none_or_one_too_many_is_said(gru):
    archive = packed(english(1_000), gru)
    with pytest.raises(CompressedError, match=f"made with the model {gru.digest.hex()[:8]}, which is missing"):
        unpacked(archive)
    other = predictor(H=8)
    with pytest.raises(CompressedError, match=f"this is {other.digest.hex()[:8]}"):
        unpacked(archive, other)
    with pytest.raises(CompressedError, match="made without a model; leave out the model"):
        unpacked(packed(b"abc"), gru)


def test_digest_is_of_every_weight_and_of_the_alphabet():
    models = (predictor(), predictor(H=8), predictor("lstm"), predictor(first=11),
              predictor(ids_of_bytes=[*range(255), 254]), integers(), integers(first=11),
              predictor(tokens=[bytes([byte]) for byte in range(256)]),
              predictor(tokens=[bytes([byte ^ 1]) for byte in range(256)]))  # fmt: skip
    assert len({model.digest for model in models}) == 9
    assert predictor().digest == predictor().digest
    assert integers().digest == integers().digest


@pytest.mark.parametrize(
    ("options", "text"),
    [({"level": 0}, "level is 0; expected 1..9"), ({"block_size": 1 << 25}, "block_size is 33554432")],
)
def test_options_that_cannot_be(options, text):
    with pytest.raises(InputError, match=text):
        packed(b"x", **options)


def test_a_model_of_few_ids_says_what_it_lacks():
    with pytest.raises(InputError, match="44 ids; to code bytes it needs one for each byte"):
        predictor(V=44)


def test_what_is_no_archive_is_said():
    for data in (b"", b"abc", b"\x1f\x8b" + bytes(100)):
        with pytest.raises(CompressedError, match="not an archive that `elman compress` wrote"):
            unpacked(data)
    archive = packed(b"abc" * 100)
    with pytest.raises(CompressedError, match="unexpected data after the end of the archive"):
        unpacked(archive + b"x")
    for field, number, said in ((4, 2, "version 2 and contract 2"), (5, 4, "version 1 and contract 4")):
        header = bytearray(archive[: HEADER.size])
        header[field] = number
        with pytest.raises(CompressedError, match=f"of {said}; this reads version 1 and contracts 1 to 3"):
            unpacked(bytes(header) + struct.pack("<I", zlib.crc32(header)) + archive[HEADER.size + 4 :])


@pytest.mark.parametrize("level", [5, 6])
def test_the_contract_is_chosen_by_the_level_or_by_the_caller(level):
    data = english(3000)
    chosen = packed(data, level=level)
    assert chosen[5] == (1 if level < 6 else 2)
    for contract in (1, 2):
        archive = packed(data, level=level, contract=contract)
        assert archive[5] == contract
        assert unpacked(archive) == data
        assert (archive == chosen) == (contract == chosen[5])
    for bad in (0, 4, "two"):
        with pytest.raises(InputError, match="expected 1, 2 or 3"):
            packed(data, level=level, contract=bad)
    with pytest.raises(InputError, match="contract is 3; models of tokens of several bytes have 3"):
        packed(data, level=level, contract=3)


def test_archives_one_after_another_are_one(gru, tmp_path):
    parts = [(english(700), None, 3), (b"", None, 6), (english(900), gru, 1), (b"", gru, 6), (english(50), None, 9)]
    archives = [packed(data, model, level=level, block_size=300) for data, model, level in parts]
    for order in (archives[:2], archives[1:2] * 3, archives[2:4]):
        unpacked(b"".join(order), gru if order == archives[2:4] else None)
    target = io.BytesIO()
    # A model that the first one does not need is refused, as for one alone; a later one goes without it.
    mixed = b"".join(archives[2:])
    decompress(io.BytesIO(mixed), target, gru, threads=3)
    assert target.getvalue() == english(900) + english(50)
    with pytest.raises(CompressedError, match="made without a model; leave out the model"):
        unpacked(b"".join(archives), gru)
    (tmp_path / "all").write_bytes(mixed)
    with Archive(tmp_path / "all", gru) as archive:
        assert len(archive) == 950
        assert archive.read() == target.getvalue()
        assert archive.read(880, 40) == target.getvalue()[880:920]
        assert sum(raw for raw, _ in archive.blocks) == 950
    with pytest.raises(CompressedError, match="unexpected data after the end of the archive"):
        unpacked(mixed + b"\x89ELR", gru)
    for cut in (1, 4, 20, len(archives[-1]) - 1):
        (tmp_path / "all").write_bytes(mixed[:-cut])
        with pytest.raises(CompressedError):
            unpacked(mixed[:-cut], gru)
        with pytest.raises(CompressedError):
            Archive(tmp_path / "all", gru)
    (tmp_path / "all").write_bytes(b"x" * 5 + archives[0])
    with pytest.raises(CompressedError, match="not an archive"):
        Archive(tmp_path / "all")
    plain = [archive for archive, (_, model, _) in zip(archives, parts, strict=True) if model is None]
    assert unpacked(b"".join(plain)) == english(700) + english(50)


def test_a_store_is_named_as_one(tmp_path):
    write_store([b"a", b"b"], tmp_path / "s")
    with pytest.raises(CompressedError, match="a store of lines, not an archive; `elman store get`"):
        unpacked((tmp_path / "s").read_bytes())
    with pytest.raises(CompressedError, match="a store of lines, not an archive; `elman store get`"):
        Archive(tmp_path / "s")


def test_a_block_of_impossible_size_is_refused_before_memory_is_asked_for():
    archive, at = bytearray(packed(english(500))), HEADER.size + 4
    head = BLOCK.pack(2, 1, 0xFFFFFFFF, 5, 0, 0)[:-4]
    archive[at : at + BLOCK.size] = head + struct.pack("<I", zlib.crc32(head))
    with pytest.raises(CompressedError, match="no such block"):
        unpacked(bytes(archive))


def test_every_flipped_bit_and_every_truncation_is_refused(gru, whole):
    models = (gru, whole, subwords(integers))
    for data, model in ((english(250), None), *((english(60), m) for m in models), (bytes(range(100)), None)):
        archive = packed(data, model, level=2, block_size=200)
        for bit in range(8 * len(archive)):
            damaged = bytearray(archive)
            damaged[bit // 8] ^= 1 << bit % 8
            with pytest.raises(CompressedError):
                unpacked(bytes(damaged), model)
        for size in range(len(archive)):
            with pytest.raises(CompressedError):
                unpacked(archive[:size], model)


def mutated(whole: bytes, draw: random.Random) -> bytes:
    data = bytearray(whole)
    for _ in range(draw.choice([1, 1, 2, 5])):
        at = draw.randrange(len(data) + 1)
        match draw.randrange(5):
            case 0:
                data[at : at + 1] = draw.randbytes(1)
            case 1:
                del data[at : at + draw.randrange(1, 9)]
            case 2:
                data[at:at] = draw.randbytes(draw.randrange(1, 9))
            case 3:
                data[at : at + 4] = draw.choice([b"\xff" * 4, bytes(4), b"\0\0\0\1"])
            case 4:
                data[at:at] = data[draw.randrange(len(data) + 1) :][:20]
    return bytes(data)


def test_mutated_archives_are_refused_or_exactly_right(request):
    """A second of them here; `python tests/compression/test_archive.py 100000` for as many as that."""
    assert fuzz(seconds=1.0, count=100_000) > 200


def fuzz(seconds: float, count: int) -> int:
    draw, model, done = random.Random(5), predictor(H=8), 0
    cases = [
        (english(n, n), m, packed(english(n, n), m, level=level, block_size=256))
        for level in (2, 9)  # of either contract
        for n in (0, 1, 90, 400)
        for m in (None, model, integers(H=8), subwords(integers, H=8))
    ]
    until = time.monotonic() + seconds
    while done < count and time.monotonic() < until:
        data, of, archive = draw.choice(cases)
        bad = mutated(archive, draw)
        try:
            right = unpacked(bad, of) == data
        except CompressedError:
            right = True
        assert right, bad
        done += 1
    return done


# --- what was written once ---


def golden_cases(label: str, model: Predictor | None, contract: int = 1):
    for name, data in inputs().items():
        for level in {1: (1, 6, 9), 2: (6, 7, 8, 9), 3: (1, 6, 9)}[contract]:
            options = {"level": level, "block_size": 1 << 14, "contract": contract}
            yield f"{name}, {label}, level {level}", data[:20_000], model, options


FILES = {
    "compression.json": lambda: [*golden_cases("contexts", None), *golden_cases("gru", predictor())],
    "compression_integer.json": lambda: list(golden_cases("integer gru", integers())),
    "compression_2.json": lambda: [*golden_cases("contexts", None, 2), *golden_cases("integer gru", integers(), 2)],
    "compression_3.json": lambda: [
        *golden_cases("subwords", subwords(predictor), 3),
        *golden_cases("integer subwords", subwords(integers), 3),
    ],
}


@pytest.mark.parametrize("file", FILES)
def test_golden_archives(file):
    golden, cases = json.loads((GOLDEN / file).read_text()), FILES[file]()
    for name, data, model, options in cases:
        archive = packed(data, model, **options)
        assert hashlib.sha256(archive).hexdigest() == golden["archives"][name], name
    for name, archive in golden["files"].items():
        data, model = next((d, m) for n, d, m, _ in cases if n == name)
        assert unpacked(base64.b85decode(archive), model) == data


def write_golden(file: str) -> None:
    archives = {name: packed(data, model, **options) for name, data, model, options in FILES[file]()}
    golden = {
        "archives": {name: hashlib.sha256(archive).hexdigest() for name, archive in archives.items()},
        "files": {n: base64.b85encode(a).decode() for n, a in archives.items() if n.startswith(("text", "utf-8"))},
    }
    (GOLDEN / file).write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    import sys

    if sys.argv[1:2] == ["--write-golden"]:
        write_golden(sys.argv[2])
    else:
        print(fuzz(seconds=1e9, count=int(sys.argv[1])), "mutated archives: each refused or exactly right")
