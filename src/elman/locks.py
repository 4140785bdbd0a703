"""A file that one at a time may replace."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, which has no flock and replaces no file that is open: nothing is held there
    fcntl = None  # type: ignore[assignment]


@contextmanager
def held(path: str | Path, required: bool = True) -> Iterator[None]:
    """Hold the file of this name until the block ends. Whoever else wants to hold it waits.

    The lock is on the file itself, not on one beside it: nothing stays behind, no second name can be mistaken, and the
    system takes it back when its holder ends, however that ends. As the holder may put another file in its place, who
    waited looks whether what he got is still the file of that name, and else begins anew. Two threads exclude each
    other like two processes, since each opens the file for itself.

    Args:
        required: False: a file system without locks is no error, and nothing is held there.
    Raises:
        OSError: there is no such file, or its file system has no locks.
    """
    while fcntl is not None:
        handle, locked = os.open(path, os.O_RDONLY), False
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                locked = True
            except OSError as error:
                if required:
                    raise OSError(error.errno, f"cannot be locked: {error.strerror}", str(path)) from None
            try:
                if os.path.samestat(os.fstat(handle), os.stat(path)):
                    yield
                    return
            finally:  # not by closing alone: a process forked meanwhile has the handle too
                if locked:
                    fcntl.flock(handle, fcntl.LOCK_UN)
        finally:
            os.close(handle)
    yield
