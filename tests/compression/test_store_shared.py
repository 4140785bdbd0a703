"""A store, a codec and an archive that several threads and processes use at once, and an append that is stopped."""

from __future__ import annotations

import io
import multiprocessing
import os
import pickle
import random
import resource
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from compression_cases import english, predictor

from elman.compression import Archive, Codec, Store, compress, write_store
from elman.errors import InputError
from elman.locks import held

LINES = [b"host-%d GET /item/%d %d" % (i % 7, i * 37 % 101, i * i % 997) for i in range(700)]


@pytest.fixture
def path(tmp_path):
    write_store(LINES, tmp_path / "s.elr", level=2)
    return tmp_path / "s.elr"


@pytest.fixture
def often():
    """Threads take turns a hundred times as often."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def all_right(store: Store, seed: int, times: int) -> bool:
    draw = random.Random(seed)
    places = [draw.randrange(len(LINES)) for _ in range(times)]
    return all(store[i] == LINES[i] for i in places)


# --- reading ---


def test_threads_read_one_store(path, often):
    with Store(path) as store, ThreadPoolExecutor(4) as pool:
        assert all(pool.map(all_right, [store] * 4, range(4), [300] * 4))


def test_forked_processes_read_one_store(path):
    """Each by itself and all at once: the handle that they share has no place of its own."""
    with Store(path) as store:
        children = []
        for seed in range(4):
            child = os.fork()
            if not child:
                os._exit(0 if all_right(store, seed, 300) else 1)
            children.append(child)
        assert all_right(store, 9, 300)
        assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4


def test_threads_and_forked_processes_read_one_archive(tmp_path, often):
    data = english(30_000)
    with open(tmp_path / "a.elz", "wb") as file:
        compress(io.BytesIO(data), file, level=1, block_size=1_000)

    def right(archive: Archive, seed: int) -> bool:
        draw = random.Random(seed)
        return all(archive.read(at, 90) == data[at : at + 90] for at in (draw.randrange(30_000) for _ in range(60)))

    with Archive(tmp_path / "a.elz") as archive, ThreadPoolExecutor(4) as pool:
        assert all(pool.map(right, [archive] * 4, range(4)))
        child = os.fork()
        if not child:
            os._exit(0 if right(archive, 8) else 1)
        assert right(archive, 9)
        assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("model", [None, predictor(H=8)], ids=["contexts", "gru"])
def test_threads_use_one_codec(model, often):
    codec = Codec(model, b"".join(line + b"\n" for line in LINES[:40]), level=2)
    codes = codec.encode_many(LINES[:200])

    def right(seed: int) -> bool:
        draw = random.Random(seed)
        picked = [draw.randrange(200) for _ in range(60)]
        return all(codec.encode(LINES[i]) == codes[i] and codec.decode(codes[i]) == LINES[i] for i in picked)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(right, range(4)))


def test_a_store_that_is_closed_under_a_reader_reads_on_and_then_says_so(path, often):
    """Closing the file itself could give the reader bytes of another file that got its number."""
    for _ in range(30):
        store, begun, faults = Store(path), threading.Event(), []

        def read(store=store, begun=begun, faults=faults):
            begun.set()
            try:
                for line, given in zip(store, LINES, strict=True):
                    if line != given:
                        faults.append(line)
            except InputError as error:
                if "closed" not in str(error):
                    faults.append(error)

        thread = threading.Thread(target=read)
        thread.start()
        begun.wait()
        store.close()
        with open(os.devnull, "rb"):  # which would get that number
            thread.join()
        assert not faults
        with pytest.raises(InputError, match=r"s\.elr: the store is closed"):
            store[0]


def test_a_closed_store_keeps_no_file_open(path):
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    if before is None:
        pytest.skip("this system has no /proc to count open files by")
    for _ in range(5):
        with Store(path) as store:
            store.append([b"x"])
    assert len(os.listdir("/proc/self/fd")) == before


# --- appending ---


def test_two_that_have_it_open_append_one_after_the_other(path):
    first, second = Store(path), Store(path)
    first.append([b"of the first"])
    second.append([b"of the second"])
    assert list(second) == list(Store(path)) == [*LINES, b"of the first", b"of the second"]
    assert list(first) == [*LINES, b"of the first"]  # as of its last append
    first.append([])
    assert list(first) == list(second)


def test_threads_that_append_and_read_lose_nothing(path, often):
    store, turns = Store(path), 6

    def add(who: int) -> None:
        own = store if who % 2 else Store(path)
        for turn in range(turns):
            own.append([b"%d:%d" % (who, turn)])
            assert all_right(store, turn, 20)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(4)))
    there = list(Store(path))
    assert there[: len(LINES)] == LINES
    assert sorted(there[len(LINES) :]) == [b"%d:%d" % (who, turn) for who in range(4) for turn in range(turns)]


def append_some(path: Path, who: int, turns: int) -> None:
    with Store(path) as store:
        for turn in range(turns):
            store.append([b"%d:%d" % (who, turn)])


def test_spawned_processes_that_append_lose_nothing(path):
    context = multiprocessing.get_context("spawn")
    children = [context.Process(target=append_some, args=(path, who, 5)) for who in range(3)]
    for child in children:
        child.start()
    append_some(path, 3, 5)
    for child in children:
        child.join()
        assert child.exitcode == 0
    there = list(Store(path))
    assert there[: len(LINES)] == LINES
    assert sorted(there[len(LINES) :]) == [b"%d:%d" % (who, turn) for who in range(4) for turn in range(5)]


def test_a_store_written_anew_meanwhile_is_read_anew(path, tmp_path):
    """By a rename, in place, with another past and another level: what is appended goes to what is there now."""
    other = [b"other %d" % i for i in range(90)]
    for in_place in (False, True):
        write_store(LINES, path)
        store = Store(path)
        if in_place:
            write_store(other, tmp_path / "o.elr", level=3)
            path.write_bytes((tmp_path / "o.elr").read_bytes())
        else:
            write_store(other, path, level=3)
        store.append([b"one more"])
        assert list(store) == list(Store(path)) == [*other, b"one more"]


def test_a_store_that_is_gone_is_not_made_again(path):
    store = Store(path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"s\.elr"):
        store.append([b"x"])
    assert not path.exists()


def test_a_slow_source_keeps_nobody_waiting(path):
    slow, quick = Store(path), Store(path)

    def lines():
        yield b"slow 1"
        quick.append([b"quick"])  # would wait for ever if the store were held
        yield b"slow 2"

    slow.append(lines())
    assert list(slow)[len(LINES) :] == [b"quick", b"slow 1", b"slow 2"]


def test_who_replaces_a_store_waits_for_who_adds_to_it(path):
    done = threading.Event()
    with held(path):
        thread = threading.Thread(target=lambda: (write_store([b"new"], path), done.set()))
        thread.start()
        assert not done.wait(0.3)
        assert len(Store(path)) == len(LINES)
    thread.join()
    assert list(Store(path)) == [b"new"]


def test_kills_at_any_moment_lose_nothing(tmp_path):
    """Thirty here; `python tests/store_kills.py 1000` for many more. In a process of one thread, which may fork."""
    program = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r}); from pathlib import Path; "
        f"from store_kills import kill_many; print(kill_many(Path({str(tmp_path)!r}), 30, 3))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=os.environ | {"ELMAN_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0, "every process was killed before it had added anything"


def test_a_full_disk_in_the_middle_of_an_append_leaves_the_store_as_it_was(path):
    """A limit on the size of files stands for the disk; a write fails at any place, from the first byte to the last."""
    before, noise = path.read_bytes(), random.Random(3).randbytes(40_000)
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Store(path) as store:
        for limit in (0, 20, len(before) // 2, len(before), len(before) + 30_000):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, old[1]))
            try:
                with pytest.raises(OSError, match=r"s\.elr|File too large"):
                    store.append([noise])
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, old)
            assert path.read_bytes() == before
            assert [p.name for p in path.parent.iterdir()] == [path.name]
            assert list(store) == LINES
        store.append([noise])
        assert list(store) == [*LINES, noise]


def test_a_store_on_a_read_only_file_system_reads_and_says_that_it_cannot_grow(path):
    """A real one, mounted in a namespace of its own."""
    where = path.parent / "mounted"
    where.mkdir()
    mount = f"mount --bind {path.parent} {where} && mount -o remount,ro,bind {where}"
    if subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True).returncode:
        pytest.skip("this system lets nobody mount here (unshare -rm)")
    program = (
        "import sys; from elman.compression import Store; s = Store(sys.argv[1]); print(len(list(s)))\n"
        "try: s.append([b'x'])\nexcept OSError as e: print(e.strerror, e.filename)"
    )
    file = str(where / path.name)
    call = ["unshare", "-rm", "sh", "-c", f'{mount} && exec "$@"', "sh", sys.executable, "-c", program, file]
    done = subprocess.run(call, capture_output=True, text=True)
    assert done.stdout == f"{len(LINES)}\nRead-only file system {file}\n", done.stderr
    assert list(Store(path)) == LINES


# --- pickles ---


def test_a_store_and_an_archive_pickle(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with open("a.elz", "wb") as file:
        compress(io.BytesIO(b"abc" * 500), file)
    store, archive = Store("s.elr"), Archive("a.elz")
    for use in (False, True):
        monkeypatch.chdir("/")
        if use:
            assert store[3] == LINES[3]
            assert archive.read(1, 2) == b"bc"
        assert pickle.loads(pickle.dumps(store))[5:7] == LINES[5:7]
        assert pickle.loads(pickle.dumps(archive)).read(0, 4) == b"abca"
