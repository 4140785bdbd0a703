"""One training at a time on a folder: a lock that the system takes back when its holder ends, however it ends."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError

try:
    import fcntl
except ImportError:  # Windows, which has no flock: nothing is locked there
    fcntl = None  # type: ignore[assignment]


@contextmanager
def locked(folder: Path | None) -> Iterator[None]:
    """Hold the folder itself, so no file is left behind. None: nothing to hold.

    Raises:
        InputError: another training has it.
    """
    if folder is None or fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise InputError(
                    f"{folder}: another training is writing here; wait for it, or choose another folder"
                ) from None
            # a file system without locks
        yield
    finally:
        os.close(handle)
