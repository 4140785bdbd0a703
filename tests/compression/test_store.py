"""Stores: a sequence of lines in a file."""

from __future__ import annotations

import os
import random
import struct
import zlib

import pytest
from compression_cases import english, predictor

from elman.compression import Store, write_store
from elman.compression.codec import as_array
from elman.compression.layout import HEADER
from elman.compression.past import choose_past
from elman.compression.predictor import native_of
from elman.errors import CompressedError, InputError
from elman.kernels import _cpu  # pyright: ignore[reportAttributeAccessIssue]


def lines(count: int, seed: int = 0) -> list[bytes]:
    draw = random.Random(seed)
    return [
        b"/item/%05d " % draw.randrange(99999) + english(draw.randrange(60), seed + i).replace(b"\n", b"/")
        for i in range(count)
    ]


@pytest.fixture(scope="module", params=["contexts", "gru"])
def model(request):
    return predictor(H=16) if request.param == "gru" else None


@pytest.fixture(scope="module")
def made(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "a.elr"
    given = lines(500)
    write_store(given, path, model)
    return path, given, model


def test_a_sequence(made):
    path, given, model = made
    with Store(path, model) as store:
        assert len(store) == len(given)
        assert list(store) == given
        assert store[0] == given[0]
        assert store[-1] == given[-1]
        assert store[63:66] == given[63:66]
        assert store[400:100:-37] == given[400:100:-37]
        assert store.get([499, 3, 3]) == [given[499], given[3], given[3]]
        assert store.index(given[77]) == given.index(given[77])
        with pytest.raises(IndexError, match="record 500 of a store of 500"):
            store[500]
        with pytest.raises(InputError, match="there is no record -1"):
            store.get([-1])


def test_smaller_than_the_lines_and_with_a_small_index(made):
    path, given, model = made
    with Store(path, model) as store:
        directory = store._view.directory
        index = directory.index_at[-1] - directory.index_at[0] + directory.entries.nbytes
    assert index <= 1.3 * len(given)
    assert path.stat().st_size < 0.75 * sum(len(line) + 1 for line in given)


def test_append_is_as_if_written_at_once(made, tmp_path):
    path, given, model = made
    (tmp_path / "b.elr").write_bytes(path.read_bytes())
    more = [b"", b"\n\xff", b"x" * 3000, *lines(200, 9)]
    with Store(tmp_path / "b.elr", model) as store:
        store.append(more[:5])
        store.append(more[5:])
        assert list(store) == given + more
    past = choose_past(given, sum(map(len, given)) // 8)
    write_store(given + more, tmp_path / "c.elr", model, past=past)
    assert (tmp_path / "b.elr").read_bytes() == (tmp_path / "c.elr").read_bytes()


@pytest.mark.parametrize("given", [[], [b""], [b"", b""], [b"a" * 70_000], [bytes([i]) for i in range(256)]])
def test_odd_stores(given, tmp_path):
    write_store(given, tmp_path / "a.elr")
    with Store(tmp_path / "a.elr") as store:
        assert list(store) == given
        store.append([b"more"])
        assert list(store) == [*given, b"more"]


def test_past_is_of_all_parts_and_no_larger():
    given = lines(1000)
    past = choose_past(given, 5_000)
    chosen = past.split(b"\n")[:-1]
    assert 3_000 < len(past) <= 5_000
    places = [given.index(line) for line in chosen]
    assert places == sorted(places)
    assert places[0] < 100
    assert places[-1] > 900


@pytest.mark.parametrize("model", [None, predictor(H=8)], ids=["contexts", "gru"])
def test_a_past_that_is_read_in_one_pass_teaches_as_one_that_is_known(model):
    """It follows a model's lines; contexts alone learn most of it, and the mixers the rest."""
    before, past = b"".join(line + b"\n" for line in lines(40)), english(130_000)
    native, settings = native_of(model), {"level": 6, "end": 10}
    known = _cpu.Messages(as_array(before + past), predictor=native, **settings)
    encoded = _cpu.Messages.encoding(as_array(before + past), len(before), predictor=native, **settings)
    assert encoded is not None
    coding, code = encoded
    decoded = _cpu.Messages.decoding(as_array(before), as_array(code), len(past), predictor=native, **settings)
    assert decoded is not None
    read, again = decoded
    assert again == past
    assert len(code) < len(past) // 3
    records = lines(200)
    assert known.encode(records) == coding.encode(records) == read.encode(records)


def test_every_flipped_bit_is_refused_or_no_matter(tmp_path):
    """Bits that do not matter are at the end of a past's code: with others it may mean the same past."""
    given = lines(70)
    write_store(given, tmp_path / "a.elr")
    data = (tmp_path / "a.elr").read_bytes()
    last_of_past = HEADER.size + HEADER.unpack_from(data)[7] - 1
    draw, path = random.Random(1), tmp_path / "b.elr"
    for _ in range(400):
        damaged, place = bytearray(data), draw.randrange(len(data))
        damaged[place] ^= 1 << draw.randrange(8)
        if draw.random() < 0.2:
            del damaged[draw.randrange(len(data)) :]
        path.write_bytes(damaged)
        try:
            with Store(path) as store:
                read = list(store)
        except CompressedError:
            continue
        assert (place, len(damaged)) == (last_of_past, len(data))
        assert read == given


def test_other_files_and_models(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    with pytest.raises(CompressedError, match="not a store that `elman store make` wrote"):
        Store(tmp_path / "a")
    write_store([b"x"], tmp_path / "b", predictor(H=8))
    with pytest.raises(CompressedError, match="which is missing"):
        Store(tmp_path / "b")


def test_a_failed_write_leaves_what_was_there(tmp_path):
    write_store([b"x"], tmp_path / "a.elr")

    def broken():
        yield b"y"
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"), Store(tmp_path / "a.elr") as store:
        store.append(broken())
    assert [path.name for path in tmp_path.iterdir()] == ["a.elr"]
    with Store(tmp_path / "a.elr") as store:
        assert list(store) == [b"x"]


@pytest.mark.parametrize("given", [[b"a", b"b"], [b""], [b"x"] * 64, [b"x"] * 65])
def test_the_end_of_a_text_without_a_last_line_end_is_kept(given, tmp_path):
    """In version 4 of the format, which is written only for that; what is appended decides anew."""
    path = tmp_path / "a.elr"
    write_store(given, path, past=b"", last_line_end=False)
    assert path.read_bytes()[4] == 4
    with Store(path) as store:
        assert list(store) == given
        assert not store.last_line_end
        store.append([b"more"])
        assert store.last_line_end
        assert path.read_bytes()[4] == 3
        store.append([b"open"], last_line_end=False)
        store.append([])
        assert not store.last_line_end
    with Store(path) as store:
        assert list(store) == [*given, b"more", b"open"]
        assert not store.last_line_end
    write_store([*given, b"more", b"open"], tmp_path / "b.elr", past=b"")
    assert path.read_bytes()[32:] == (tmp_path / "b.elr").read_bytes()[32:]
    write_store([], path, last_line_end=False)  # there is no last record
    assert path.read_bytes()[4] == 3


def test_a_version_to_come_is_refused_by_its_number(tmp_path):
    write_store([b"x"], tmp_path / "a.elr")
    data = bytearray((tmp_path / "a.elr").read_bytes())
    data[4] = 5
    data[28:32] = struct.pack("<I", zlib.crc32(data[:28]))
    (tmp_path / "a.elr").write_bytes(data)
    with pytest.raises(CompressedError, match="of version 5 and contract 1; this reads versions 1 to 4"):
        Store(tmp_path / "a.elr")


def test_what_is_no_line_or_no_number_is_refused(tmp_path):
    path = tmp_path / "a.elr"
    for lines in ([b"x", "text"], "text", [5], b"bytes"):
        with pytest.raises(InputError, match=r"line \d is of type (str|int); expected bytes"):
            write_store(lines, path)  # pyright: ignore
    assert not path.exists()
    write_store([bytearray(b"x"), memoryview(b"y")], path)  # pyright: ignore
    with Store(path) as store:
        assert list(store) == [b"x", b"y"]
        for lines in (["text"], "text", [5]):
            with pytest.raises(InputError, match="line 1 is of type"):
                store.append(lines)  # pyright: ignore
        for number in (1.0, "1", None, 2, -1, 1 << 70):
            with pytest.raises(InputError, match="the store has 2 records, from 0; there is no record"):
                store.get([number])  # pyright: ignore
        for number in (1.0, "1", None):
            with pytest.raises(InputError, match="a record's number is"):
                store[number]  # pyright: ignore
        assert len(store) == 2
    for options, text in (({"level": 6.5}, "level is 6.5"), ({"past": "x"}, "the past is of type str")):
        with pytest.raises(InputError, match=text):
            write_store([b"x"], path, **options)  # pyright: ignore


def test_what_has_no_places_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", "/dev/null"):
        with pytest.raises(OSError, match=f"not a regular file.*{path}"):
            Store(path)
