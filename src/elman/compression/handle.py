"""A file that is read at any place by many at once."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path


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
