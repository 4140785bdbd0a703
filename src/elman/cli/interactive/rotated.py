"""Rotated: the files in which the lines of a log are after it was rotated, as logrotate names them."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

_AFTER = re.compile(r"[-.]\d[\d.T_-]*(?:\.(?:gz|bz2|xz))?")
"""The rest of a rotated log's name: a number or a date, and the ending of a compressed file."""
_PACKED = (".gz", ".bz2", ".xz")


def rotated(path: Path) -> list[tuple[Path, os.stat_result]]:
    """The files that `path` was before, oldest first: NAME.1, NAME-20261129, also compressed."""
    found: list[tuple[Path, os.stat_result]] = []
    try:
        names = [each for each in path.parent.iterdir() if each.name.startswith(path.name)]
    except OSError:
        return []
    for each in names:
        if not _AFTER.fullmatch(each.name[len(path.name) :]) or (is_packed(each) and each.with_suffix("") in names):
            continue  # or it is being compressed
        try:
            status = each.stat()
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            found.append((each, status))
    return sorted(found, key=lambda each: (each[1].st_mtime_ns, each[0]))


def later(path: Path, than: os.stat_result) -> list[Path]:
    """The files among `rotated(path)` that were written to after another was."""
    return [
        each
        for each, status in rotated(path)
        if status.st_mtime_ns > than.st_mtime_ns and not os.path.samestat(status, than)
    ]


def is_packed(path: Path) -> bool:
    """The file is compressed: it does not grow."""
    return path.suffix in _PACKED


def unpacked(path: Path) -> IO[bytes]:
    """The bytes in a compressed file. Raises OSError if it cannot be opened."""
    import bz2
    import gzip
    import lzma

    openers: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
    return openers[path.suffix](path, "rb")
