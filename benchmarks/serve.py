"""What a server costs: 64 clients at once against `generate` with 64 rows, the first byte, and what it takes when idle.

    python benchmarks/serve.py [--rounds 3] [--output results/serve.csv]

Clients are one process, the server another; its clients keep their connections and ask again as soon as they have an
answer. Throughput is characters for each second of the wall and for each second of
CPU that the serving process took; on a machine whose cores are shared the second is the one to compare. Writes
results/serve.csv.
"""

from __future__ import annotations

import argparse
import csv
import http.client
import json
import os
import re
import selectors
import socket
import statistics
import subprocess
import sys
import threading
import time
from typing import Any

import harness

import elman

CLIENTS, LENGTH, TURNS = 64, 200, 10


def server(*options: str) -> tuple[subprocess.Popen[str], int]:
    """A running server and its port."""
    command = [sys.executable, "-m", "elman.cli", "serve", "english", "--port", "0", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "serving at" in line:
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return process, int(line.rsplit(":", 1)[1])
    raise RuntimeError("it did not start")


def ask(port: int, **body: object) -> tuple[float, dict]:
    """Seconds to the first byte, and the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.connect()
    start = time.perf_counter()
    connection.request("POST", "/v1/completions", json.dumps(body))
    answered = connection.getresponse()
    first = answered.read(1)
    seconds = time.perf_counter() - start
    rest = answered.read()
    connection.close()
    return seconds, json.loads(first + rest) if not body.get("stream") else {}


def cpu(process: subprocess.Popen[str]) -> float:
    """Seconds of CPU that a process has taken."""
    with open(f"/proc/{process.pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def together(port: int, turns: int = 1) -> list[str]:
    """64 clients ask so many times, each again as soon as it has its answer: the texts, by seed."""
    texts: dict[int, str] = {}
    chooser = selectors.DefaultSelector()

    def ask_next(sock: socket.socket, seed: int) -> None:
        body = json.dumps({"prompt": "The ", "max_tokens": LENGTH, "seed": seed})
        sock.sendall(f"POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())

    state = {}
    for client in range(CLIENTS):
        sock = socket.create_connection(("127.0.0.1", port))
        state[sock] = (client, bytearray())
        chooser.register(sock, selectors.EVENT_READ)
    for sock, (seed, _) in state.items():
        ask_next(sock, seed)
    while state:
        for key, _ in chooser.select():
            sock: Any = key.fileobj
            seed, data = state[sock]
            data += sock.recv(1 << 16)
            head, _, body = data.partition(b"\r\n\r\n")
            found = re.search(rb"content-length: (\d+)", head)
            if found is None or len(body) < int(found[1]):
                continue
            texts[seed] = json.loads(body)["choices"][0]["text"]
            if seed + CLIENTS < turns * CLIENTS:
                state[sock] = (seed + CLIENTS, bytearray())
                ask_next(sock, seed + CLIENTS)
            else:
                chooser.unregister(sock)
                sock.close()
                del state[sock]
    return [texts[seed] for seed in range(turns * CLIENTS)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", default=str(harness.RESULTS / "serve.csv"))
    options = parser.parse_args()
    rounds = options.rounds
    model = elman.load("english")
    process, port = server()
    try:
        time.sleep(1)
        before = cpu(process)
        time.sleep(5)
        idle = cpu(process) - before
        want = [elman.generate(model, "The ", LENGTH, seed=seed) for seed in range(CLIENTS)]
        assert together(port) == want, "the same bits as each alone"
        served: list[tuple[float, float]] = []
        direct: list[tuple[float, float]] = []
        for _ in range(rounds):
            start, used = time.perf_counter(), time.process_time()
            for _ in range(TURNS):
                elman.generate(model, "The ", LENGTH, num_samples=CLIENTS)
            direct.append((time.perf_counter() - start, time.process_time() - used))
            start, used = time.perf_counter(), cpu(process)
            together(port, TURNS)
            served.append((time.perf_counter() - start, cpu(process) - used))
        firsts = [ask(port, prompt="The ", max_tokens=200, stream=True)[0] for _ in range(50)]
        quiet = [ask(port, prompt="The ", max_tokens=1)[0] for _ in range(50)]
    finally:
        process.terminate()
        process.wait()
    total = TURNS * CLIENTS * LENGTH
    rows = {
        "generate, characters a second": total / statistics.median(wall for wall, _ in direct),
        "served, characters a second": total / statistics.median(wall for wall, _ in served),
        "served / generate": statistics.median(wall for wall, _ in direct)
        / statistics.median(wall for wall, _ in served),
        "generate, characters a CPU second": total / statistics.median(used for _, used in direct),
        "served, characters a CPU second": total / statistics.median(used for _, used in served),
        "first byte of a stream, ms, median": 1000 * statistics.median(firsts),
        "first byte of a stream, ms, fastest": 1000 * min(firsts),
        "answer of one character, ms, median": 1000 * statistics.median(quiet),
        "answer of one character, ms, fastest": 1000 * min(quiet),
        "CPU seconds in 5 idle seconds": idle,
    }
    with open(options.output, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["what", "value"])
        for name, value in rows.items():
            print(f"{name:40} {value:12,.3f}")
            writer.writerow([name, f"{value:.4g}"])


if __name__ == "__main__":
    main()
