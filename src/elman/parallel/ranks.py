"""Processes that train one model together: each computes some shards of every batch, and the first adds them in order.

They meet over TCP, by the environment that torchrun and most launchers set (RANK, WORLD_SIZE, MASTER_ADDR,
MASTER_PORT), or that `elman train --workers N` sets for processes of its own. What travels are gradients and states
as raw float32; every process holds the whole model and applies every update itself, so nothing depends on how many
there are.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..errors import InputError, WorkerLost
from ..files import named
from ..kernels import _cpu, has_native

_HELLO = struct.Struct("<8sI32s")  # what it is, the rank, a digest of what is trained
_LENGTH = struct.Struct("<Q")
_MAGIC = b"ELMAN-1\n"
_PATIENCE = 120.0  # seconds to wait for the others at the beginning; later the system's notice of a lost one decides
_HELLO_SECONDS = 5.0  # one of our processes says who it is at once
_MOST = 1 << 40


class Ranks:
    """One process among `size`; alone unless `join` is used."""

    def __init__(self, rank: int = 0, size: int = 1, address: str = "", listener: socket.socket | None = None) -> None:
        """
        Args:
            address: host:port where rank 0 is. listener: rank 0's own, if it listens already.
        Raises:
            InputError: no such rank, or no such address.
        """
        if not 0 <= rank < size:
            raise InputError(f"rank {rank} of {size} processes; ranks count from 0")
        self.rank, self.size, self._address, self._listener = rank, size, address, listener
        self._peers: dict[int, socket.socket] = {}

    @classmethod
    def from_environment(cls) -> Ranks:
        """Read rank and size from a launcher's variables; alone without them.

        Raises:
            InputError: a variable is missing or no number.
        """
        size = os.environ.get("WORLD_SIZE", "1")
        if size == "1":
            return cls()
        names = ("RANK", "WORLD_SIZE", "MASTER_PORT")
        values = [os.environ.get(name, "") for name in names]
        for name, value in zip(names, values, strict=True):
            if not value.isdecimal():
                raise InputError(f"{name} is {value!r}; expected a whole number, as torchrun sets it")
        host, local = os.environ.get("MASTER_ADDR", "127.0.0.1"), os.environ.get("LOCAL_WORLD_SIZE", size)
        if local != size:
            _check_reachable(host)
        port = os.environ.get("ELMAN_PORT") or str(int(values[2]) + 1)  # torchrun itself listens at its own
        return cls(int(values[0]), int(values[1]), f"{host}:{port}")

    @contextmanager
    def joined(self, digest: bytes) -> Iterator[None]:
        """Meet the others, who must train the same: digest, 32 bytes, says what.

        Raises:
            WorkerLost: one did not come. InputError: one trains something else.
        """
        try:
            if self.size > 1:
                self._accept(digest) if self.rank == 0 else self._connect(digest)
            yield
        finally:
            for peer in self._peers.values():
                peer.close()
            self._peers.clear()
            if self._listener:
                self._listener.close()

    def _accept(self, digest: bytes) -> None:
        host, port = self._place()
        try:
            listener = self._listener = self._listener or socket.create_server((host, port))
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or error
            raise InputError(f"cannot listen at {host}:{port}: {reason}; set ELMAN_PORT") from None
        deadline = time.monotonic() + _PATIENCE
        while len(self._peers) < self.size - 1:
            listener.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                peer, _ = listener.accept()
            except TimeoutError:
                missing = sorted(set(range(1, self.size)) - set(self._peers))
                raise WorkerLost(f"process {missing[0]} of {self.size} did not come in {_PATIENCE:.0f} s") from None
            try:
                peer.settimeout(min(_HELLO_SECONDS, max(0.01, deadline - time.monotonic())))
                magic, rank, theirs = _HELLO.unpack(_read(peer, _HELLO.size))
            except OSError:  # not one of our processes: closed, or silent
                peer.close()
                continue
            if magic != _MAGIC or rank in self._peers or not 0 < rank < self.size:
                peer.close()
                continue
            self._peers[rank] = peer
            peer.sendall(b"y" if theirs == digest else b"n")
            if theirs != digest:
                raise InputError(f"process {rank} trains something else: give all the same text, recipe and start")
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer.settimeout(None)

    def _connect(self, digest: bytes) -> None:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                peer = socket.create_connection(self._place(), timeout=10.0)
                break
            except OSError as error:
                if time.monotonic() > deadline:
                    raise WorkerLost(f"no process 0 at {self._address}: {error.strerror or error}") from None
                time.sleep(0.05)
        self._peers[0] = peer
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.settimeout(None)
        with self._losing(0):
            peer.sendall(_HELLO.pack(_MAGIC, self.rank, digest))
            if _read(peer, 1) != b"y":
                raise InputError(f"process 0 at {self._address} trains something else than process {self.rank}")

    def _place(self) -> tuple[str, int]:
        host, _, port = self._address.rpartition(":")
        return host, int(port)

    def gather(self, data: bytes) -> list[bytes] | None:
        """Gather a value from every process, by rank; None except at the first."""
        if self.rank:
            with self._losing(0):
                _send(self._peers[0], data)
            return None
        parts = [data]
        for rank in range(1, self.size):
            with self._losing(rank):
                parts.append(_receive(self._peers[rank]))
        return parts

    def broadcast(self, data: bytes | None) -> bytes:
        """Send the first process's value to all."""
        if self.rank:
            with self._losing(0):
                return _receive(self._peers[0])
        assert data is not None
        for rank, peer in self._peers.items():
            with self._losing(rank):
                _send(peer, data)
        return data

    @contextmanager
    def _losing(self, rank: int) -> Iterator[None]:
        try:
            yield
        except OSError:
            raise WorkerLost(
                f"process {rank} of {self.size} is gone; the last checkpoint is whole: go on with `resume`",
                setting="resume",
            ) from None


def _check_reachable(host: str) -> None:
    """Raises InputError if the name of the first machine is, here, the machine's own loopback: as in Debian's
    /etc/hosts, where a machine's name is 127.0.1.1. Others would wait for a process 0 that they cannot reach."""
    with suppress(OSError):  # a name that cannot be resolved here: connecting says so
        address = socket.gethostbyname(host)
        if address.startswith("127."):
            raise InputError(
                f"MASTER_ADDR {host} is {address} here, which other machines cannot reach; give its address in the "
                "network, or mend /etc/hosts"
            )


def _send(peer: socket.socket, data: bytes) -> None:
    peer.sendall(_LENGTH.pack(len(data)))
    peer.sendall(data)


def _receive(peer: socket.socket) -> bytes:
    (length,) = _LENGTH.unpack(_read(peer, _LENGTH.size))
    if length > _MOST:
        raise ConnectionError("not what was sent")
    return _read(peer, length)


def _read(peer: socket.socket, count: int) -> bytes:
    data = bytearray(count)
    view = memoryview(data)
    while view:
        got = peer.recv_into(view)
        if not got:
            raise ConnectionError("closed")
        view = view[got:]
    return bytes(data)


def listen() -> tuple[socket.socket, int]:
    """A listener for processes of this machine alone, and its port."""
    with named("a port of 127.0.0.1"):
        listener = socket.create_server(("127.0.0.1", 0))
    return listener, listener.getsockname()[1]


def share_cores(processes: int) -> None:
    """Take this process's part of the machine's cores, unless ELMAN_THREADS says how many."""
    if os.environ.get("ELMAN_THREADS"):
        return
    if has_native():
        _cpu.set_threads(max(1, _cpu.threads() // processes))
