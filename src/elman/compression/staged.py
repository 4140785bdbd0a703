"""A file that is written piece by piece beside its place, and renamed to it once it is whole."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..files import sync_folder


@contextmanager
def staged(path: str | Path) -> Iterator[BinaryIO]:
    """Like `files.write_atomically`, for what does not fit in memory: if the block fails, nothing is written.

    Raises:
        OSError: as the system says, with `path` as its file name.
    """
    target = Path(os.path.realpath(path))
    mode = target.stat().st_mode if target.exists() else None
    if mode is not None and not stat.S_ISREG(mode):
        raise OSError(21, "is a folder, a device or a pipe; expected the name of a file to write", str(path))
    beside = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}")
    try:
        handle = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            os.chmod(beside, stat.S_IMODE(mode))
        os.replace(beside, target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)
