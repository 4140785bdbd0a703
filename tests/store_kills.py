"""Processes that add to one store and are killed: what each said to be added is there, once, and nothing is half there.

python tests/store_kills.py 1000            # so many kills
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from elman.compression import Store, write_store

LINES = [b"host-%d GET /item/%d" % (i % 7, i * 37 % 101) for i in range(150)]


def append_until_killed(path: Path, who: int, said: Path) -> None:
    """Add two lines at a time, and after each time note how often it was done."""
    with open(said, "ab", buffering=0) as notes, Store(path) as store:
        for turn in range(1_000_000):
            store.append([b"%d:%d:%d" % (who, turn, half) for half in range(2)])
            notes.write(b"%d\n" % turn)


def kill_many(folder: Path, kills: int, at_once: int, seed: int = 0) -> int:
    """Kill `kills` such processes, `at_once` of them at a time. Returns how many appends were said to be done."""
    path, draw, said = folder / "s.elr", random.Random(seed), {}
    write_store(LINES, path)
    for first in range(0, kills, at_once):
        children = {}
        for who in range(first, min(first + at_once, kills)):
            said[who] = folder / f"said.{who}"
            said[who].touch()
            if not (child := os.fork()):
                try:
                    append_until_killed(path, who, said[who])
                finally:
                    os._exit(1)
            children[who] = child
        while first // at_once % 2 and not said[first].stat().st_size:  # of every other lot, one has added something
            time.sleep(0.001)
        for child in children.values():
            time.sleep(draw.uniform(0.0, 0.06))
            os.kill(child, signal.SIGKILL)
        for child in children.values():
            status = os.waitpid(child, 0)[1]
            assert os.WIFSIGNALED(status), f"a process ended by itself, with {status}"
        with Store(path) as store:  # also what the next ones open
            there = list(store)
        assert there[: len(LINES)] == LINES
        turns: dict[int, list[bytes]] = {}
        for line in there[len(LINES) :]:
            turns.setdefault(int(line.split(b":")[0]), []).append(line)
        for who in said:
            done, found = len(said[who].read_bytes().split()), turns.get(who, [])
            # The last time may have been finished without being noted.
            assert len(found) in (2 * done, 2 * done + 2), (who, done, found)
            assert found == [b"%d:%d:%d" % (who, i // 2, i % 2) for i in range(len(found))]
    return sum(len(path.read_bytes().split()) for path in said.values())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        count = kill_many(Path(place), int(sys.argv[1]), at_once=3, seed=int(sys.argv[1]))
        print(f"{sys.argv[1]} kills, {count} appends said to be done, none of them lost or halved")
