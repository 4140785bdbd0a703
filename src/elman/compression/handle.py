"""A file that is read at any place by many at once, and replaced by one at a time."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, which has no flock and replaces no file that is open: nothing is held there
    fcntl = None  # type: ignore[assignment]


class Handle:
    """A file opened to be read. Each read names its place, so threads and forked processes may share the handle.

    It is closed when nobody refers to it any more: never under a thread that still reads.

    Attributes:
        size: bytes, when it was opened.
        mark: what tells this file from another one, or from itself written over.
    Raises:
        OSError: as the system says, with the path; also for what has no places: a folder, a pipe, a terminal.
    """

    def __init__(self, path: str | Path) -> None:
        self._path, self._fd = str(path), -1
        if not stat.S_ISREG(os.stat(path).st_mode):  # before it is opened: to open a pipe may wait for ever
            raise OSError(
                errno.ESPIPE, "is not a regular file, which this has to be to be read at any place", str(path)
            )
        self._fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._seeking = None if hasattr(os, "pread") else threading.Lock()
        self.mark = mark_of(os.fstat(self._fd))
        self.size = self.mark[2]

    def read(self, size: int, at: int) -> bytes:
        """`size` bytes from `at`; fewer where the file ends before."""
        parts = []
        try:
            while size > 0 and (part := self._read(min(size, 1 << 30), at)):
                parts.append(part)
                size -= len(part)
                at += len(part)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._path) from None
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read(self, size: int, at: int) -> bytes:
        if self._seeking is None:
            return os.pread(self._fd, size, at)
        with self._seeking:
            os.lseek(self._fd, at, os.SEEK_SET)
            return os.read(self._fd, size)

    def __del__(self, close=os.close) -> None:
        if self._fd >= 0:
            close(self._fd)


class Place:
    """A handle as a file that is read from a place on."""

    def __init__(self, handle: Handle, at: int = 0) -> None:
        self._handle, self._at = handle, at

    def read(self, size: int) -> bytes:
        data = self._handle.read(size, self._at)
        self._at += len(data)
        return data


Mark = tuple[int, int, int, int]


def mark_of(found: os.stat_result) -> Mark:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


@contextmanager
def held(path: str | Path) -> Iterator[None]:
    """Hold the file of this name until the block ends. Whoever else wants to hold it waits.

    The lock is on the file itself, not on one beside it: nothing stays behind, no second name can be mistaken, and the
    system takes it back when its holder ends, however that ends. As the holder may put another file in its place, who
    waited looks whether what he got is still the file of that name, and else begins anew. Two threads exclude each
    other like two processes, since each opens the file for itself.

    Raises:
        OSError: there is no such file, or its file system has no locks.
    """
    while fcntl is not None:
        handle = os.open(path, os.O_RDONLY)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
            except OSError as error:
                raise OSError(error.errno, f"cannot be locked: {error.strerror}", str(path)) from None
            try:
                if os.path.samestat(os.fstat(handle), os.stat(path)):
                    yield
                    return
            finally:  # not by closing alone: a process forked meanwhile has the handle too
                fcntl.flock(handle, fcntl.LOCK_UN)
        finally:
            os.close(handle)
    yield
