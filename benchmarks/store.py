"""What a store of lines costs in CPU time and memory: to open it, to get a line alone or with others, and the command.

    python benchmarks/store.py

A store of LINES made-up lines of a web server's log, at the default level, without a model. One thread; the best of
ROUNDS, for other programs only add to a time. Each line is compared with the one that was stored.
"""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from harness import machine, write

from elman import Store
from elman.compression import write_store
from elman.kernels import _cpu

LINES, GETS, ROUNDS = 40_000, 2_000, 5


def log(draw: random.Random, count: int) -> list[bytes]:
    paths = ["/index.html", "/api/v1/users", "/static/app.js", "/login", "/logout", "/search?q=rnn", "/images/logo.png"]
    lines, second = [], 1_700_000_000
    for _ in range(count):
        second += draw.randrange(3)
        client = f"10.{draw.randrange(4)}.{draw.randrange(256)}.{draw.randrange(256)}"
        request = f'"GET {draw.choice(paths)} HTTP/1.1" {draw.choice([200, 200, 200, 304, 404])}'
        lines.append(f"{client} - - [{second}] {request} {draw.randrange(20_000)}".encode())
    return lines


def best(work: Callable[[], object]) -> float:
    """Seconds of CPU time, of the quickest of ROUNDS."""
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def command(path: Path) -> float:
    """Seconds of CPU time of `elman store get` of one line."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    arguments = [sys.executable, "-m", "elman.cli", "store", "get", str(path), "5"]
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def memory_of(path: Path) -> float:
    """MB that a process which opens the store grows by, at its peak. Linux alone."""
    code = (
        "import sys; from elman import Store; from elman.kernels import _cpu\n"
        "def peak(): return int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])\n"
        "before = peak(); store = Store(sys.argv[1]); store[0]; print((peak() - before) / 1e3)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True, text=True)
    return float(done.stdout)


def main() -> None:
    os.environ["ELMAN_THREADS"] = "1"
    _cpu.set_threads(1)
    draw = random.Random(0)
    lines = log(draw, LINES)
    numbers = [draw.randrange(LINES) for _ in range(GETS)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.elr"
        write_store(lines, path)
        with Store(path) as store:
            assert [store[number] for number in numbers] == [lines[number] for number in numbers]
            one = best(lambda: [store[number] for number in numbers]) / GETS
            many = best(lambda: store.get(numbers)) / GETS
        row: dict[str, object] = {
            "lines": LINES,
            "bytes": sum(map(len, lines)) + LINES,
            "stored": path.stat().st_size,
            "open_ms": round(1000 * best(lambda: Store(path).close())),
            "get_us": round(1e6 * one, 1),
            "get_many_us": round(1e6 * many, 1),
            "command_ms": round(1000 * min(command(path) for _ in range(ROUNDS))),
            "memory_mb": round(memory_of(path)),
        }
    print(row)
    write("store", [row | machine()])


if __name__ == "__main__":
    main()
