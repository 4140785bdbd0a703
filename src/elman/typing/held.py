"""Held: one process at a time reads what another wrote to a typist's file, adds to it and writes it again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, which has no flock and replaces no file that is open: nothing is held there
    fcntl = None  # type: ignore[assignment]


@contextmanager
def held(path: Path) -> Iterator[bool]:
    """Hold the file at `path`, through a replacement by whoever held it before; the value says whether there is one.

    The file itself is held, so nothing is left behind. It is nobody else's to read from here on.
    """
    while True:
        try:
            handle = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            yield False
            return
        try:
            if fcntl is not None:
                with suppress(OSError):  # a file system without locks
                    fcntl.flock(handle, fcntl.LOCK_EX)
            ours = _named(handle, path)
            if ours:
                os.chmod(path, 0o600)  # what takes its place keeps its mode
                if fcntl is None:
                    os.close(handle)
                    handle = -1
                yield True
        finally:
            if handle >= 0:
                os.close(handle)
        if ours:
            return


def _named(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
