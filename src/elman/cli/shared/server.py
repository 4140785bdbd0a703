"""uvicorn around the application: its socket, its signals and its end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn

from ...errors import InputError
from .connection import Protocol

_log = logging.getLogger("elman.serving")


def run(app: Any, host: str, port: int, uds: Path | None, mode: int, grace: float) -> None:
    """Serve until a signal ends it.

    Args:
        uds: a socket's path, in place of host and port. mode: its permissions.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s", force=True)
    config = uvicorn.Config(
        app, http=Protocol, ws="none", lifespan="on", log_config=None, access_log=False, server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=int(grace) + 2, timeout_keep_alive=60, h11_max_incomplete_event_size=1 << 16,
        backlog=512,
    )  # fmt: skip
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    sock = _unix(uds, mode) if uds is not None else _tcp(host, port)
    sock.listen(config.backlog)
    place = str(uds)
    if uds is None:
        name = sock.getsockname()
        place = f"http://[{name[0]}]:{name[1]}" if sock.family == socket.AF_INET6 else f"http://{name[0]}:{name[1]}"
    switch = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH)
    try:
        _Server(config, app, grace, place).run(sockets=[sock])
    finally:
        sys.setswitchinterval(switch)
        sock.close()
        if uds is not None:
            with suppress(OSError):
                uds.unlink()
    if app.state.beside.running:  # nobody waits for it, and Python would
        logging.shutdown()
        os._exit(0)


_SWITCH = 0.0005
"""Seconds that Python lets one thread run where another wants to: 5 ms by itself, for which a step's thread would wait
whenever requests come in, and they for it."""


class _Server(uvicorn.Server):
    """Ends as soon as its requests are done, after `grace` seconds at the latest; a second signal ends it at once."""

    def __init__(self, config: uvicorn.Config, app: Any, grace: float, place: str) -> None:
        super().__init__(config)
        self._app, self._grace, self._place, self._ended = app, grace, place, asyncio.Event()
        self._lock, self._reloads = threading.Lock(), 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say where it serves once it does, so whoever reads that may send a signal, too."""
        await super().startup(sockets)
        if not self.started:
            return
        _log.info("serving at %s", self._place)
        if self._place.startswith("http"):
            _log.info('try: curl %s/v1/completions -d \'{"prompt": "The ", "max_tokens": 50}\'', self._place)

    async def main_loop(self) -> None:
        """Wait for the end. uvicorn looks for it ten times a second; here it is said, and the rest is once a second."""
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._ended.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take a server's signals, and no others; afterwards they are the command's again."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        ends = [s for s in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(s) is not signal.SIG_IGN]
        before = {number: signal.getsignal(number) for number in ends}
        hang_up = getattr(signal, "SIGHUP", None)
        if hang_up is not None:
            before[hang_up] = signal.getsignal(hang_up)
            loop.add_signal_handler(hang_up, self._reload)
        for number in ends:
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(self._end, loop))
        try:
            yield
        finally:
            if hang_up is not None:
                loop.remove_signal_handler(hang_up)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        if self.should_exit:
            self.force_exit = True
            self._app.state.end("abort")
            return
        _log.info("ending; requests have %g second%s to finish", self._grace, "" if self._grace == 1 else "s")
        self._app.state.health.state = "ending"
        self.should_exit = True
        self._ended.set()
        loop.call_later(self._grace, self._app.state.end, "abort")

    def _reload(self) -> None:
        """Load the models anew, one time after another: a further signal meanwhile asks for one more."""
        with self._lock:
            begun, self._reloads = self._reloads > 0, min(2, self._reloads + 1)
        if not begun:
            threading.Thread(target=self._load, daemon=True).start()

    def _load(self) -> None:
        more = True
        while more:
            try:
                self._app.state.reload()
                _log.info("the models were loaded anew")
            except Exception as error:
                _log.error("the models were not loaded anew, and the old ones go on: %s", error)
            with self._lock:
                self._reloads -= 1
                more = self._reloads > 0


def _tcp(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    except OSError as error:
        raise InputError(
            f"cannot listen on {host}, port {port}: {error.strerror or error}; give another --port"
        ) from None
    return sock


def _unix(path: Path, mode: int) -> socket.socket:
    """A socket for this user alone until it has its mode. One that nobody listens on any more is replaced."""
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            raise InputError(f"{path} exists and is no socket; give --uds another name")
        with socket.socket(socket.AF_UNIX) as probe, suppress(ConnectionRefusedError):
            probe.connect(str(path))
            raise InputError(f"another server listens on {path}")
        path.unlink()
    sock, mask = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), os.umask(0o177)
    try:
        sock.bind(str(path))
        os.chmod(path, mode)
    except OSError as error:
        raise InputError(f"cannot listen on {path}: {error.strerror or error}") from None
    finally:
        os.umask(mask)
    return sock
