"""`elman serve` as a process: its socket, its keys, its signals and its end."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import random
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from typing import Any

import command_line
import pytest
import small_models

pytest.importorskip("uvicorn", reason="the extra elman[serve] is not installed")

import elman

pytestmark = pytest.mark.usefixtures("default_signals")


class Serving:
    """A server that runs, and what it writes to its log."""

    def __init__(self, folder, *arguments, **env):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "elman.cli", "serve", *map(str, arguments)],
            stderr=subprocess.PIPE, text=True, cwd=folder, env={**os.environ, "ELMAN_THREADS": "1", **env},
        )  # fmt: skip
        self.lines: list[str] = []
        self.seen = threading.Condition()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.place = self.wait_for(r"serving at (\S+)")

    def _read(self):
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self.seen:
                self.lines.append(line)
                self.seen.notify_all()

    def wait_for(self, pattern: str) -> str:
        """The first group of a line of the log."""
        end = time.monotonic() + command_line.PATIENCE
        with self.seen:
            while time.monotonic() < end:
                for line in self.lines:
                    if found := re.search(pattern, line):
                        return found[1] if found.groups() else found[0]
                self.seen.wait(0.1)
                assert self.process.poll() is None or self.lines, "it ended"
        raise AssertionError(f"no {pattern!r} in {self.lines}")

    def connection(self):
        if self.place.startswith("http"):
            return http.client.HTTPConnection(self.place.removeprefix("http://"), timeout=command_line.PATIENCE)
        connection = http.client.HTTPConnection("localhost", timeout=command_line.PATIENCE)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(self.place)
        return connection

    def ask(self, path, body=None, key=None):
        connection = self.connection()
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        connection.request("POST" if body is not None else "GET", path, json.dumps(body) if body else None, headers)
        with contextlib.closing(connection):
            answered = connection.getresponse()
            return answered.status, json.loads(answered.read())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stderr.close()  # type: ignore[union-attr]


@pytest.fixture
def folder(tmp_path):
    small_models.save(tmp_path / "story.safetensors")
    return tmp_path


def test_it_serves_loads_anew_and_ends(folder):
    (folder / "keys").write_text("first\n\nsecond\n")
    (folder / "keys").chmod(0o600)
    arguments = ("story.safetensors", "again=story.safetensors", "--port", 0, "--api-key-file", "keys")
    with Serving(folder, *arguments, ELMAN_API_KEY="third") as server:
        body = {"prompt": "the ", "seed": 1, "secret": 1}
        for key, status in (("first", 200), ("second", 200), ("third", 200), ("fourth", 401), ("", 401), (None, 401)):
            assert server.ask("/v1/models", key=key)[0] == status
        text = server.ask("/v1/completions", body, "first")[1]["choices"][0]["text"]
        assert text == elman.generate(elman.load(folder / "story.safetensors"), "the ", 16, seed=1)
        assert [m["id"] for m in server.ask("/models", key="first")[1]["data"]] == ["story", "again"]
        before = server.ask("/v1/completions", body, "first")[1]["system_fingerprint"]
        small_models.save(folder / "story.safetensors", "another text altogether.\n")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("the models were loaded anew")
        assert server.ask("/v1/completions", body, "first")[1]["system_fingerprint"] != before
        (folder / "story.safetensors").write_bytes(b"broken")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("the models were not loaded anew, and the old ones go on: story.safetensors")
        assert server.ask("/health") == (200, {"status": "ok"})
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0
        log = "".join(server.lines)
        assert "POST /v1/completions 200" in log
        assert log.count("the field 'secret' is unknown and ignored") == 1
        for kept in ("the ", "first", "third", "Traceback"):
            assert f"'{kept}'" not in log
            assert kept == "the " or kept not in log


def test_a_request_finishes_within_the_grace_and_a_stream_ends_with_a_reason(folder):
    arguments = ("story.safetensors", "--port", 0, "--max-tokens", 10**9, "--grace", 1)
    with Serving(folder, *arguments) as server:
        endless = server.connection()
        endless.request("POST", "/v1/completions", json.dumps({"max_tokens": 10**9, "stream": True}))
        events = endless.getresponse()
        assert events.readline().startswith(b"data: ")
        server.process.send_signal(signal.SIGTERM)
        server.wait_for("ending; requests have 1 second")
        rest = events.read().decode().split("\n\n")
        assert rest[-2] == "data: [DONE]"
        assert json.loads(rest[-3].removeprefix("data: "))["choices"][0]["finish_reason"] == "abort"
        assert server.process.wait(60) == 0
        endless.close()


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no UNIX sockets here")
def test_a_unix_socket_is_this_users_alone(folder):
    with Serving(folder, "story.safetensors", "--uds", "socket") as server:
        server.place = str(folder / "socket")
        assert server.ask("/v1/health") == (200, {"status": "ok"})
        assert stat.S_IMODE((folder / "socket").stat().st_mode) == 0o600
        refused = command_line.run("serve", "story.safetensors", "--uds", "socket", cwd=folder)
        assert (refused.returncode, refused.stderr) == (2, "elman: another server listens on socket\n")
        server.process.kill()
        server.process.wait()
    with Serving(folder, "story.safetensors", "--uds", "socket") as server:
        server.place = str(folder / "socket")
        assert server.ask("/health")[0] == 200
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(60) == 0
    assert not (folder / "socket").exists()


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no UNIX sockets here")
def test_a_unix_socket_lets_its_group_in_where_that_is_asked_for(folder):
    with Serving(folder, "story.safetensors", "--uds", "socket", "--uds-mode", "660") as server:
        assert stat.S_IMODE((folder / "socket").stat().st_mode) == 0o660
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0
    refused = command_line.run("serve", "story.safetensors", "--uds", "socket", "--uds-mode", "rw", cwd=folder)
    assert refused.returncode == 2
    assert refused.stderr == "elman: --uds-mode is 'rw'; expected three octal digits, such as 600 or 660\n"


def test_work_in_a_thread_does_not_hold_up_the_end(folder):
    with Serving(folder, "story.safetensors", "--port", 0, "--grace", 0) as server:
        connection = server.connection()
        text = bytes(random.Random(1).choices(b"etaoin shrdlu\n", k=7_000_000))  # minutes of work
        connection.request("POST", "/v1/compress", text)
        time.sleep(0.5)
        server.process.send_signal(signal.SIGTERM)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            answered = connection.getresponse()
            assert answered.status == 503
            assert "shutting down" in json.loads(answered.read())["error"]["message"]
        assert server.process.wait(60) == 0
        assert "Traceback" not in "".join(server.lines)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_in_place_of_a_model_does_not_hold_up_the_next_one(folder):
    with Serving(folder, "story.safetensors", "--port", 0) as server:
        (folder / "story.safetensors").unlink()
        os.mkfifo(folder / "story.safetensors")
        for _ in range(3):
            server.process.send_signal(signal.SIGHUP)
        server.wait_for("the old ones go on: story.safetensors is neither a file nor a folder")
        (folder / "story.safetensors").unlink()
        small_models.save(folder / "story.safetensors")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("the models were loaded anew")


def test_what_cannot_be_served_is_one_line(folder):
    (folder / "empty").write_text("\n")
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    cases = {
        ("story.safetensors", "--host", "0.0.0.0"): "--host 0.0.0.0 lets others ask; give --api-key-file, set "
        "ELMAN_API_KEY, or give --no-key",
        ("story.safetensors", "--port", port): f"cannot listen on 127.0.0.1, port {port}: Address already in use; give "
        "another --port",
        ("story.safetensors", "story.safetensors"): "two models are called 'story'; name one of them with ID=PATH",
        ("=story.safetensors",): "MODEL is '=story.safetensors'; expected a path, or ID=PATH",
        ("story.safetensors", "--api-key-file", "empty"): "empty: no key in it; expected one on each line",
        ("story.safetensors", "--uds", "empty"): "empty exists and is no socket; give --uds another name",
    }
    for arguments, message in cases.items():
        refused = command_line.run("serve", *arguments, cwd=folder)
        assert (refused.returncode, refused.stderr.splitlines()[-1]) == (2, f"elman: {message}")
    assert "nothing.safetensors" in command_line.run("serve", "nothing.safetensors", cwd=folder).stderr
    taken.close()


def test_without_the_extra_it_says_what_to_install(folder):
    code = (
        "import sys; sys.modules['uvicorn'] = None; from elman.cli import main; sys.argv[1:] = ['serve', 'x']; main()"
    )
    refused = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder)
    assert refused.returncode == 2
    assert refused.stderr == "elman: to serve a model takes Starlette and uvicorn; pip install 'elman[serve]'\n"


@contextlib.contextmanager
def listening(app, protocol):
    """A server in a thread, and its address."""
    import uvicorn

    sock = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, http=protocol, lifespan="off", log_config=None, timeout_keep_alive=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
    thread.start()
    try:
        yield server, sock.getsockname()
    finally:
        server.should_exit = True
        thread.join()
        sock.close()


def test_a_head_that_does_not_come_ends_the_connection():
    from elman.cli.shared.connection import Protocol

    class Hasty(Protocol):
        head_seconds = 0.2

    async def app(scope, receive, send):
        if scope["type"] == "http":
            await asyncio.sleep(0.5)  # longer than a head may take
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            await send({"type": "http.response.body", "body": b"ok"})

    with listening(app, Hasty) as (_, address):
        for sent, answered in (
            (b"", False), (b"GET / HTTP/1.1\r\nHo", False), (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", True),
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HT", True),
        ):  # fmt: skip
            with socket.create_connection(address, timeout=command_line.PATIENCE) as sock:
                sock.sendall(sent)
                received = b""
                while part := sock.recv(4096):
                    received += part
                assert received.startswith(b"HTTP/1.1 200") is answered
                assert received.count(b"200 OK") == answered


def test_a_short_answer_is_one_piece_and_a_long_one_is_whole():
    from elman.cli.shared.connection import Protocol, _Joining

    written, turns = list[bytes](), list[Any]()

    class Transport:
        def write(self, data):
            written.append(data)

        def close(self):
            written.append(b"closed")

    class Loop:
        call_soon = staticmethod(turns.append)

    given: Any = Transport(), Loop()
    joining = _Joining(*given)
    for data in (b"head", b"body", b"", b"more"):
        joining.write(data)
    assert written == [b"headbody"]
    for turn in turns:
        turn()
    joining.write(b"rest")
    joining.close()
    assert written == [b"headbody", b"more", b"rest", b"closed"]

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3000000")]})
        for part in range(3):
            await send({"type": "http.response.body", "body": b"%d" % part * 1_000_000, "more_body": part < 2})

    with listening(app, Protocol) as (_, address), socket.create_connection(address) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        sock.settimeout(command_line.PATIENCE)
        found = b""
        while part := sock.recv(1 << 20):
            found += part
    assert found.endswith(b"\r\n\r\n" + b"0" * 1_000_000 + b"1" * 1_000_000 + b"2" * 1_000_000)


def until(condition):
    end = time.monotonic() + command_line.PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return found


@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_that_nobody_takes_is_dropped(streamed):
    from elman.cli.shared.connection import Protocol

    class Patient(Protocol):
        taken_seconds = command_line.PATIENCE

    class Hasty(Protocol):
        taken_seconds = 0.2

    size, left = 30_000_000, threading.Event()  # more than the system keeps for a connection

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % size)]})
        parts = 1000 if streamed else 1
        for part in range(parts):
            await send({"type": "http.response.body", "body": b"a" * (size // parts), "more_body": part + 1 < parts})
        left.set()

    def received(sock):
        sock.settimeout(command_line.PATIENCE)
        total = 0
        with contextlib.suppress(ConnectionError):
            while part := sock.recv(1 << 20):
                total += len(part)
        return total

    asking = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with listening(app, Patient) as (server, address), socket.create_connection(address) as sock:
        sock.sendall(asking)
        connections: Any = server.server_state.connections
        connection = until(lambda: next((c for c in connections if c.flow.write_paused), None))
        connection.loop.call_soon_threadsafe(connection._give_up_writing, size)  # there was more: some was taken
        assert received(sock) > size
    left.clear()
    with listening(app, Hasty) as (server, address), socket.create_connection(address) as sock:
        sock.sendall(asking)
        assert left.wait(command_line.PATIENCE), "the application is freed"
        until(lambda: not server.server_state.connections)
        assert received(sock) < size


def test_only_a_server_that_anyone_on_this_machine_may_ask_looks_at_the_host(folder):
    def status(server, host):
        connection = server.connection()
        connection.request("GET", "/v1/models", headers={"Host": host, "Authorization": "Bearer secret"})
        with contextlib.closing(connection):
            return connection.getresponse().status

    for arguments, env, expected in (((), {}, 403), (("--no-key",), {}, 200), ((), {"ELMAN_API_KEY": "secret"}, 200)):
        with Serving(folder, "story.safetensors", "--port", 0, *arguments, **env) as server:
            assert status(server, "rebound.example:80") == expected
            assert status(server, "localhost:80") == 200
