"""What a server costs: 64 clients at once against `generate` with 64 rows, the first byte, and what it takes when idle.

    python benchmarks/serve.py [--rounds 3] [--output results/serve.csv] [--peer PORT PID]

Clients are one process, the server another; its clients keep their connections and ask again as soon as they have an
answer. Throughput is characters for each second of the wall and for each second of CPU that the serving process took;
on a machine whose cores are shared the second is the one to compare. `generate` and the server take turns, and the
fastest round of each counts. A peer, another server on this machine that knows the API (`serve_llama.py` starts
llama.cpp's), takes its turn with one thread. Writes results/serve.csv.
"""

from __future__ import annotations

import argparse
import csv
import http.client
import json
import os
import selectors
import socket
import statistics
import subprocess
import sys
import threading
import time

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


def cpu(pid: int) -> float:
    """Seconds of CPU that a process has taken."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def together(port: int, turns: int = 1, **more: object) -> tuple[float, dict[int, bytes]]:
    """64 clients ask so many times, each again as soon as it has its answer.

    Args:
        more: further fields of each request.
    Returns:
        seconds of the wall, and the body of each answer by its seed. Requests are made before and read after: while the
        clock runs a client only sends and receives.
    """
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(CLIENTS)]
    asked, answers, chooser = [0] * CLIENTS, dict[int, bytes](), selectors.DefaultSelector()
    requests = {seed: request(seed, more) for seed in range(CLIENTS * turns)}
    parts = [bytearray() for _ in sockets]
    for client, sock in enumerate(sockets):
        chooser.register(sock, selectors.EVENT_READ, client)
    start = time.perf_counter()
    for client, sock in enumerate(sockets):
        sock.send(requests[client])
    while len(answers) < len(requests):
        for key, _ in chooser.select():
            client = key.data
            parts[client] += sockets[client].recv(1 << 16)
            if not parts[client].endswith(b"}"):  # the head alone
                continue
            answers[client + asked[client] * CLIENTS], parts[client] = bytes(parts[client]), bytearray()
            asked[client] += 1
            if asked[client] < turns:
                sockets[client].send(requests[client + asked[client] * CLIENTS])
    seconds = time.perf_counter() - start
    for sock in sockets:
        sock.close()
    return seconds, {seed: answer.partition(b"\r\n\r\n")[2] for seed, answer in answers.items()}


def request(seed: int, more: dict[str, object]) -> bytes:
    body = json.dumps({"prompt": "The ", "max_tokens": LENGTH, "seed": seed, **more})
    return f"POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def direct(turns: int) -> tuple[float, float]:
    """The same rates of `generate`, in a process of its own."""
    code = f"""
import elman, time
model = elman.load("english")
for turns in (1, {turns}):
    wall, used = time.perf_counter(), time.process_time()
    for _ in range(turns):
        elman.generate(model, "The ", {LENGTH}, num_samples={CLIENTS})
print(time.perf_counter() - wall, time.process_time() - used)
"""
    wall, used = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    return turns * CLIENTS * LENGTH / float(wall), turns * CLIENTS * LENGTH / float(used)


def throughput(rounds: int, threads: str, peer: tuple[int, int] | None) -> dict[str, float]:
    """`generate` and the server in turn, the fastest round of each, with so many threads of the kernel.

    Args:
        peer: port and process of another server.
    """
    os.environ["ELMAN_THREADS"] = threads
    process, port = server()
    try:
        model = elman.load("english")
        want = [elman.generate(model, "The ", LENGTH, seed=seed) for seed in range(CLIENTS)]
        answers = together(port)[1]
        assert [json.loads(answers[seed])["choices"][0]["text"] for seed in range(CLIENTS)] == want, "the same bits"
        alone, served, other = (list[tuple[float, float]]() for _ in range(3))
        for _ in range(rounds):
            alone.append(direct(TURNS))
            served.append(asked(port, process.pid, TURNS))
            if peer is not None:
                other.append(asked(*peer, 1, ignore_eos=True))
    finally:
        process.terminate()
        process.wait()
        del os.environ["ELMAN_THREADS"]
    many = {"generate": alone, "served": served} | ({"peer": other} if other else {})
    of = f", {threads} thread" + "s" * (threads != "1")
    found = {}
    for place, (unit, by) in enumerate((("a second", "by the clock"), ("a CPU second", "by CPU"))):
        rates = {name: max(rates[place] for rates in rounds) for name, rounds in many.items()}
        found |= {f"{name}, characters {unit}{of}": rate for name, rate in rates.items()}
        found[f"served / generate, {by}{of}"] = rates["served"] / rates["generate"]
        if other:
            found[f"served / peer, {by}{of}"] = rates["served"] / rates["peer"]
    return found


def asked(port: int, pid: int, turns: int, **more: object) -> tuple[float, float]:
    """Characters for each second of the wall and for each second of CPU that a server's process takes."""
    used = cpu(pid)
    seconds, answers = together(port, turns, **more)
    used = cpu(pid) - used
    for answer in answers.values():
        assert json.loads(answer)["usage"]["completion_tokens"] == LENGTH
    return len(answers) * LENGTH / seconds, len(answers) * LENGTH / used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer", nargs=2, type=int, metavar=("PORT", "PID"), help="a server and its process")
    parser.add_argument("--output", default=str(harness.RESULTS / "serve.csv"))
    options = parser.parse_args()
    rows: dict[str, float | str] = {"processor": f"{len(os.sched_getaffinity(0))} threads of an {harness.processor()}"}
    for threads in sorted({"1", str(len(os.sched_getaffinity(0)))}):
        rows |= throughput(options.rounds, threads, tuple(options.peer) if options.peer and threads == "1" else None)
    process, port = server()
    try:
        time.sleep(1)
        before = cpu(process.pid)
        time.sleep(5)
        idle = cpu(process.pid) - before
        firsts = [ask(port, prompt="The ", max_tokens=200, stream=True)[0] for _ in range(50)]
        short = [ask(port, prompt="The ", max_tokens=1)[0] for _ in range(50)]
    finally:
        process.terminate()
        process.wait()
    rows |= {
        "first byte of a stream, ms, median": 1000 * statistics.median(firsts),
        "first byte of a stream, ms, fastest": 1000 * min(firsts),
        "answer of one character, ms, median": 1000 * statistics.median(short),
        "answer of one character, ms, fastest": 1000 * min(short),
        "CPU seconds in 5 idle seconds": idle,
    }
    with open(options.output, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["what", "value"])
        for name, value in rows.items():
            shown = value if isinstance(value, str) else f"{value:.4g}"
            print(f"{name:50} {shown}")
            writer.writerow([name, shown])


if __name__ == "__main__":
    main()
