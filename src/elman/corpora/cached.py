"""The cache: what was made from large texts, each file under a key of what it was made from, with a checksum.

Texts are known by their content. To hash one takes some seconds a gigabyte, in which training reads a few megabytes; a
size and a time would miss a file that was changed and given its old time.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import re
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import CorpusError
from ..files import staged, write_atomically
from .named import NAMED, cache

FORMAT = 2
"""Format of the files in the cache; others are made again."""
_OURS = re.compile(r"[0-9a-f]{32}\.(ids|json|bpe)|\.[0-9a-f]{32}\.(ids|json|bpe)\.[0-9a-f]{12}")
_States = list[tuple[Any, ...]]


def contents(files: Sequence[Path]) -> tuple[list[str], _States]:
    """The SHA-256 of each file, with the suffix by which it is unpacked; and the files' states, for `unchanged`.

    Raises:
        CorpusError: one cannot be read, or is none.
    """
    keys, states = [], _states(files)
    for path, (kind, *_) in zip(files, states, strict=True):
        if not stat.S_ISREG(kind):
            raise CorpusError(f"{path} is a device or a pipe; expected a file")
        try:
            with open(path, "rb") as file:
                keys.append(hashlib.file_digest(file, "sha256").hexdigest() + path.suffix)
        except OSError as error:
            raise CorpusError(f"{path}: {error.strerror or error}") from None
    return keys, states


def unchanged(files: Sequence[Path], states: _States) -> None:
    """Raises CorpusError if a file is another one now than `contents` saw."""
    for path, before, now in zip(files, states, _states(files), strict=True):
        if before != now:
            raise CorpusError(f"{path} was changed while it was read; start again")


def _states(files: Sequence[Path]) -> _States:
    found = []
    for path in files:
        try:
            s = path.stat()
        except OSError as error:
            raise CorpusError(f"{path}: {error.strerror}") from None
        found.append((s.st_mode, s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns))
    return found


def place(suffix: str, *key: Any) -> Path:
    """Path in the cache for this key."""
    folder = cache() / "ids"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # what is in it was made from files that may be private
    return folder / (hashlib.sha256(json.dumps([FORMAT, *key]).encode()).hexdigest()[:32] + suffix)


def kept(path: Path, make: Callable[[BinaryIO], dict[str, Any]]) -> dict[str, Any]:
    """Read the facts about the file at `path`, an .ids: from the .json beside it if both are whole, which is checked by
    digests; else from `make`, which writes the file and returns what is to be known of it, any JSON."""
    about = path.with_suffix(".json")
    known = read_known(about)
    if known is not None and _digest(path) == known["ids"]:
        return known["about"]
    with staged(path) as file:
        made = make(file)
    write_known(about, {"ids": _digest(path), "about": made})
    return made


def read_known(path: Path) -> Any:
    """Read what `write_known` wrote; None if it is missing or not whole."""
    try:
        digest, _, text = path.read_bytes().partition(b"\n")
        return json.loads(text) if hashlib.sha256(text).hexdigest().encode() == digest else None
    except (OSError, ValueError):
        return None


def write_known(path: Path, value: Any) -> None:
    """Any JSON, after its digest."""
    text = json.dumps(value).encode()
    write_atomically(path, hashlib.sha256(text).hexdigest().encode() + b"\n" + text)


def _digest(path: Path) -> str | None:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def mapped(path: Path, dtype: np.dtype[Any]) -> np.ndarray:
    """The array in a file, whose pages are read when they are used."""
    return np.memmap(path, dtype=dtype, mode="r")


def release(ids: np.ndarray) -> None:
    """Let go of the memory of pages that were read, which the system would else count as this process's."""
    memory = getattr(ids, "_mmap", None)
    if memory is not None and hasattr(mmap, "MADV_DONTNEED"):
        memory.madvise(mmap.MADV_DONTNEED)


def cached_files() -> list[Path]:
    """Every file in the cache that Elman wrote: ids, subwords, and downloaded corpora. Others there are not listed."""
    names = {entry.file for entry in NAMED.values()}
    found = []
    for folder, ours in ((cache(), names.__contains__), (cache() / "ids", _OURS.fullmatch)):
        try:
            with os.scandir(folder) as entries:
                found += [Path(e.path) for e in entries if ours(e.name) and e.is_file(follow_symlinks=False)]
        except OSError:  # no such folder: nothing was ever kept
            continue
    return sorted(found)
