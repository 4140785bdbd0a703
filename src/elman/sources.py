"""Files that are read to make others: none is the one that is written, and what is made is as private as they are."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from .errors import InputError


def refuse_same(output: str | Path | int, *inputs: str | Path | int, shown: str = "") -> None:
    """Raises InputError if `output` is the same file as one that is read: paths, or the numbers of open files."""
    written = regular(output)
    for read in map(regular, inputs):
        if read and written and os.path.samestat(read, written):
            raise InputError(f"{shown or output} is also read; give the output another name")


def mask_of(*inputs: str | Path | int) -> int:
    """Permissions for a new file that is made from these, files or folders: none for who may not read one of them."""
    mask = 0o666
    for given in inputs:
        with suppress(OSError, ValueError):
            status = os.stat(given)
            if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
                denied = ~status.st_mode & 0o044
                mask &= ~(denied | denied >> 1)
    return mask


def compressed(start: bytes) -> str:
    """Kind of a file of ours that begins so, and the command that reads it; empty for any other."""
    if start.startswith(b"\x89ELZ"):
        return "this is an archive; `elman decompress` gives back what is in it"
    if start.startswith(b"\x89ELR"):
        return "this is a store of lines; `elman store get` (once `elman get`) reads it"
    return ""


def regular(place: str | Path | int) -> os.stat_result | None:
    """The status of a regular file; None: it is something else, or not there."""
    try:
        status = os.stat(place)
    except (OSError, ValueError):
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def remove_unchanged(path: str | Path, before: os.stat_result) -> None:
    """Remove a regular file that was read, if it is still what it was; anything else stays.

    Raises:
        InputError: it changed, so what was made of it may lack something.
    """
    if not stat.S_ISREG(before.st_mode):
        return
    now = os.stat(path)
    if any(getattr(now, name) != getattr(before, name) for name in ("st_dev", "st_ino", "st_size", "st_mtime_ns")):
        raise InputError(f"{path} changed while it was read; it is kept, and what was made of it may be incomplete")
    os.unlink(path)
