"""Files that a user keeps: written beside, synced and renamed, or grown by whole lines."""

from __future__ import annotations

import errno
import glob
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def staged(path: str | Path) -> Iterator[BinaryIO]:
    """A file beside `path` to write to, synced and renamed there at the end: what was there stays whole until the new
    one is, and stays if the block fails.

    A link is followed, so that it stays one. A new file has the mode that umask says, an old one keeps its own.

    Raises:
        OSError: as the system says, with `path` as its file name; also where `path` is a folder, a device or a FIFO,
            which a rename would replace. What the block raises is left as it is.
    """
    target = Path(os.path.realpath(path))
    with _of(path):
        try:
            mode = target.stat().st_mode
        except FileNotFoundError:
            mode = None
        if mode is not None and stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, "is a folder; expected the name of a file to write")
        if mode is not None and not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "is a device or a pipe; expected the name of a file to write")
        beside = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}")
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            with _of(path):
                file.flush()
                os.fsync(handle)
        with _of(path):
            if mode is not None:
                os.chmod(beside, stat.S_IMODE(mode))
            os.replace(beside, target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    with _of(path):
        sync_folder(target.parent)


@contextmanager
def _of(path: str | Path) -> Iterator[None]:
    """An OSError is of this file, whatever it was that failed."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None


def write_atomically(path: str | Path, data: bytes) -> None:
    """Write `data` as `staged` does, whose errors it raises."""
    with staged(path) as file, _of(path):
        file.write(data)


def clear_unfinished(path: str | Path) -> None:
    """Remove what `write_atomically` left beside `path` where it was killed. For one who alone writes there."""
    target = Path(path)
    for beside in target.parent.glob(f".{glob.escape(target.name[:100])}.*"):
        if re.fullmatch("[0-9a-f]{12}", beside.name.rpartition(".")[2]):
            beside.unlink(missing_ok=True)


def append_line(path: str | Path, line: str) -> None:
    """Add `line` and a line end to a file: whole, or not at all."""
    append_bytes(path, line.encode("utf-8", "backslashreplace") + b"\n")


def append_bytes(path: str | Path, data: bytes) -> None:
    """Add `data` to a file: whole, or not at all."""
    with open(path, "ab", buffering=0) as file:
        before = file.seek(0, os.SEEK_END)
        try:
            if file.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            with suppress(OSError):
                file.truncate(before)
            raise OSError(error.errno, error.strerror, str(path)) from None


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` outlast a power cut, where the system can."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
