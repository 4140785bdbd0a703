"""Hostile requests against a server, good ones for hours, and its schema: `make test-serving`.

    python tests/fuzz/serving.py --requests 100000 [--soak 100000] [--minutes 60] [--schemathesis PATH] [--seed 0]

Sends requests that are wrong in every way that a socket allows: nested JSON, huge numbers, NULs, half requests, wrong
lengths, slow writers, readers that leave. Fails where an answer is 5xx, where the log has a traceback, where the server
no longer answers, or where its memory grows; the soak also where a good request is refused, or one that came before
gets other bits. A part that --minutes ends early reports on what it has sent.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

GROWTH = {"hostile": 64 << 20, "soak": 5 << 20, "schema": 64 << 20}
"""Bytes, from the second tenth of the requests to the last. Hostile bodies are large, and 64 are there at once."""
EVERY = 50  # requests between two looks at the memory
PATIENCE = 600  # seconds: more than any machine takes
MALLOC = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "1048576", "MALLOC_TRIM_THRESHOLD_": "1048576"}
"""Settings of glibc: what is freed goes back to the system soon, so what stays is in use."""


class Server:
    def __init__(self) -> None:
        command = [sys.executable, "-m", "elman.cli", "serve", "english", "--port", "0", "--max-tokens", "64"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **MALLOC})
        self.faults: list[str] = []
        assert self.process.stderr is not None
        line = next(line for line in self.process.stderr if "serving at" in line)
        self.port = int(line.rpartition(":")[2])
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        """Note tracebacks, errors and answers of 5xx; those who are told at the end that it ends get 503 rightly."""
        ending = False
        for line in self.process.stderr or ():
            ending = ending or "ending; requests have" in line
            failed = re.search(r" 5\d\d \d", line) and not (ending and " 503 " in line)
            if failed or "Traceback" in line or "Error" in line:
                self.faults.append(line)

    @property
    def memory(self) -> int:
        """Bytes of resident memory."""
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * 4096

    def send(self, data: bytes, draw: random.Random) -> int:
        """The status of the answer; 0 if there was none."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as sock:
            way = draw.random()
            try:
                if way < 0.02:  # a slow writer
                    for start in range(0, min(len(data), 64), 16):
                        sock.sendall(data[start : start + 16])
                        time.sleep(0.005)
                    sock.sendall(data[64:])
                else:
                    sock.sendall(data)
                if way > 0.95:  # one who leaves at once
                    return 0
                if 0.9 < way < 0.95:
                    sock.shutdown(socket.SHUT_WR)
                sock.settimeout(5 if way < 0.9 else 0.5)
                answer = sock.recv(1 << 16)
            except OSError:
                return 0
        found = re.match(rb"HTTP/1\.1 (\d{3})", answer)
        return int(found[1]) if found else 0


def value(draw: random.Random, depth: int = 0) -> object:
    """A value of any type."""
    kinds = [
        lambda: None, lambda: draw.choice([True, False]), lambda: draw.choice([0, 1, -1, 5, 2**31, 2**64]),
        lambda: draw.choice([0.5, -0.0, 1e308, 1e-320, 2.5]), lambda: "a" * draw.choice([0, 1, 10, 3000]),
        lambda: draw.choice(["\0", "\ud800", "\U0001f600", "\u202e", "\n", "The ", "../../etc/passwd", "file:///x"]),
    ]  # fmt: skip
    if depth < 3:
        kinds += [
            lambda: [value(draw, depth + 1) for _ in range(draw.choice([0, 1, 3, 40]))],
            lambda: {str(value(draw, 3))[:9]: value(draw, depth + 1) for _ in range(draw.choice([0, 1, 4]))},
        ]
    return draw.choice(kinds)()


FIELDS = (
    "prompt", "max_tokens", "temperature", "top_p", "top_k", "min_p", "n", "best_of", "stop", "seed", "stream", "echo",
    "logprobs", "prompt_logprobs", "logit_bias", "allowed", "allowed_token_ids", "stream_options", "suffix", "model",
    "messages", "text", "by", "tokens", "beam", "new", "known", "data",
    "presence_penalty", "alpha", "choice", "return_token_ids", "x",
)  # fmt: skip
PATHS = (
    "/v1/completions", "/v1/completions", "/v1/completions", "/v1/chat/completions", "/v1/score", "/v1/after",
    "/tokenize", "/detokenize", "/v1/compress", "/v1/decompress", "/v1/models/%2e%2e%2f", "/metrics", "/", "/%00",
)  # fmt: skip


def request(draw: random.Random) -> bytes:
    body = json.dumps({draw.choice(FIELDS): value(draw) for _ in range(draw.randint(0, 6))}).encode()
    way = draw.random()
    if way < 0.1:
        body = draw.randbytes(draw.choice([0, 1, 50, 2000]))
    elif way < 0.2 and body:
        place = draw.randrange(len(body))
        body = (
            body[:place]
            + draw.choice([b"", b"\0", b"\xff", b"{", b'"', b"9" * 400])
            + body[place + draw.randint(0, 3) :]
        )
    elif way < 0.23:
        body = draw.choice([b"[" * 5000, b'{"a":' * 5000, b'{"prompt": "' + b"a" * 100_000 + b'"}'])
    length: object = len(body)
    if draw.random() < 0.08:
        length = draw.choice([0, len(body) + 10, max(0, len(body) - 3), "-1", "1e3", "9" * 30, "\0"])
    head = f"{draw.choice(['POST'] * 9 + ['GET', 'PUT', 'OPTIONS', 'x'])} {draw.choice(PATHS)} HTTP/1.1\r\nHost: a\r\n"
    kind = draw.choice(["application/json"] * 5 + ["application/x-ndjson", "text/plain", "\x01", "a" * 500])
    head += f"Content-Type: {kind}\r\nConnection: close\r\n"
    if draw.random() < 0.05:
        head += f"Content-Encoding: {draw.choice(['gzip', 'br', 'deflate', ''])}\r\n"
    if draw.random() < 0.05:
        head += "Transfer-Encoding: chunked\r\n"
        body = draw.choice([b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n", b"zz\r\n", b"5\r\nab", b"0\r\n\r\n"])
    else:
        head += f"Content-Length: {length}\r\n"
    data = head.encode("latin-1") + b"\r\n" + body
    return data[: draw.randrange(len(data))] if draw.random() < 0.03 else data


def good(draw: random.Random, connection: http.client.HTTPConnection) -> tuple[str, object]:
    """Send one of many good requests and read its answer: which it was, and what must be equal each time."""
    seed = draw.randrange(300)
    again = random.Random(seed)
    body: dict[str, object] = {"prompt": again.choice(["The ", "", "It was a ", "sea " * 90]), "seed": seed}
    body |= {"max_tokens": again.choice([1, 8, 40]), "temperature": again.choice([0, 0.7, 1])}
    body |= again.choice([{}, {"logprobs": 2}, {"echo": True, "logprobs": 0}, {"n": 3}, {"stop": ["the", "q"]}])
    text = again.choice(["The sea.\nTeh sea.", "a" * 500, "caf\u00e9"])
    others: list[tuple[str, dict[str, object]]] = [
        ("/v1/chat/completions", {"messages": [{"content": text}], "seed": 1}),
        ("/v1/completions", body | {"stream": True}),
        ("/v1/score", {"text": [text, "b"], "by": again.choice(["symbols", "words", "lines"])}),
        ("/v1/after", {"text": text, "n": 4}), ("/tokenize", {"prompt": text}), ("/v1/compress", {"text": text}),
    ]  # fmt: skip
    path, body = again.choice([("/v1/completions", body)] * 4 + others)
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    data = answer.read()
    assert answer.status == 200, (path, body, answer.status, data[:300])
    if not body.get("stream"):
        found = json.loads(data)
        for name in ("id", "created", "timings"):
            found.pop(name, None)
    else:
        events = [json.loads(line[6:]) for line in data.decode().split("\n\n")[:-2] if line.startswith("data: ")]
        found = {}
        for (choice,) in (event["choices"] for event in events):
            found[choice["index"]] = found.get(choice["index"], "") + choice["text"]
    return f"{path} {seed}", found


def together(threads: int, count: int, minutes: float, begin: Callable[[], Callable[[int], None]]) -> None:
    """Let threads send requests 0 .. count-1 as long as there is time, each with what `begin` gives it."""
    numbers, lock, end = iter(range(count)), threading.Lock(), time.monotonic() + 60 * minutes

    def client() -> None:
        send = begin()
        while time.monotonic() < end:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            send(number)

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(client) for _ in range(threads)]:
            done.result()


def soak(server: Server, count: int, minutes: float, seed: int) -> tuple[list[int], int, int]:
    """Send good requests over connections that are kept: memory as it went, how many were sent, and how many different
    ones there were among them."""
    known, memory, sent = dict[str, object](), list[int](), list[int]()

    def begin() -> Callable[[int], None]:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)

        def send(number: int) -> None:
            draw = random.Random(f"{seed} {number}")
            if draw.random() < 0.01:
                connection.close()
            name, found = good(draw, connection)
            if known.setdefault(name, found) != found:
                server.faults.append(f"{name} has other bits: {found} {known[name]}")
            sent.append(number)
            if number % EVERY == 0:
                memory.append(server.memory)
            if number % 10_000 == 0:
                print(f"soak: {number:,}, {server.memory >> 20} MB", flush=True)

        return send

    together(16, count, minutes, begin)
    return memory, len(sent), len(known)


def _growth(memory: list[int]) -> int:
    """From the second tenth of the samples to the last, the lowest of each: requests in progress take some too."""
    tenth = len(memory) // 10
    return min(memory[-tenth:]) - min(memory[tenth : 2 * tenth]) if tenth else 0


def hostile(server: Server, count: int, minutes: float, seed: int) -> tuple[list[int], dict[int, int]]:
    """Send hostile requests: memory as it went, and how many answers had which status."""
    statuses, memory, lock = dict[int, int](), list[int](), threading.Lock()

    def send(number: int) -> None:
        draw = random.Random(f"{seed} {number}")
        status = server.send(request(draw), draw)
        with lock:
            statuses[status] = statuses.get(status, 0) + 1
            done = sum(statuses.values())
            if done % EVERY == 0:
                memory.append(server.memory)
            if done % 10_000 == 0:
                print(f"{done:,}: {dict(sorted(statuses.items()))}, {server.memory >> 20} MB", flush=True)

    together(64, count, minutes, lambda: send)  # many of them wait for what does not come
    return memory, statuses


def check_schema(server: Server, program: Path) -> None:
    """Let schemathesis send what the server's own description allows, and what it does not."""
    place = f"http://127.0.0.1:{server.port}"
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    command = [str(program.absolute()), "run", f"{place}/openapi.json", "--url", place, "--checks", checks, "-n", "200"]
    with tempfile.TemporaryDirectory() as folder:  # it leaves what it found where it runs
        if subprocess.run(command, cwd=folder).returncode:
            server.faults.append("schemathesis found something")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--soak", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=1e6, help="for each part")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--schemathesis", type=Path)
    options = parser.parse_args()
    faults: list[str] = []
    for part in ("hostile", "soak", "schema"):
        if not {"hostile": options.requests, "soak": options.soak, "schema": options.schemathesis}[part]:
            continue
        server, memory = Server(), list[int]()
        if part == "hostile":
            memory, statuses = hostile(server, options.requests, options.minutes, options.seed)
            print(f"hostile: {sum(statuses.values()):,} requests, statuses {dict(sorted(statuses.items()))}")
            faults += [f"status {status}" for status in statuses if status >= 500]
        elif part == "soak":
            memory, sent, different = soak(server, options.soak, options.minutes, options.seed)
            print(f"soak: {sent:,} good requests, {different} different ones")
        else:
            check_schema(server, options.schemathesis)
        growth = _growth(memory)
        health = server.send(b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", random.Random(1))
        server.process.terminate()
        status = server.process.wait(PATIENCE)
        print(f"{part}: growth {growth / 2**20:.2f} MB, health {health}, exit status {status}", flush=True)
        faults += [f"{part}: {fault}" for fault in server.faults]
        if growth > GROWTH[part] or health != 200 or status:
            faults.append(f"{part}: growth {growth}, health {health}, exit status {status}")
    print(f"{len(faults)} faults", *faults[:20], sep="\n")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
