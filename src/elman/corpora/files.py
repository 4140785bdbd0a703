"""Files, folders and pipes -> text: bounded, unpacked and decoded."""

from __future__ import annotations

import codecs
import gzip
import io
import lzma
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import CorpusError

Progress = Callable[[int, int | None, str], None]
"""Called with bytes so far, bytes in all if known, and the address that is downloaded."""

_MOST = 4 << 30  # bytes of a file, an answer or an unpacked .gz or .xz: more would not fit in memory as text
MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
         (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))  # fmt: skip
Part = tuple[str, bytes]
"""Where it came from, and what was there."""


def read_folder(path: Path) -> list[Part]:
    """What is in `folder_files`."""
    return [(str(f), read_file(f)) for f in folder_files(path)]


def folder_files(path: Path) -> list[Path]:
    """All regular files below `path` that are not hidden, in order of their paths."""
    try:
        files = sorted(
            f for f in path.rglob("*") if f.is_file() and not any(p.startswith(".") for p in f.relative_to(path).parts)
        )
    except RecursionError:
        raise CorpusError(f"{path}: its folders are nested too deep to be read; give one further down") from None
    if not files:
        raise CorpusError(f"{path} is a folder with no files in it; give one with text files")
    return files


def read_file(path: Path) -> bytes:
    """A file's bytes, unpacked if it is a .gz or .xz, or what a pipe holds."""
    # A FIFO without a writer would make an ordinary open wait for ever; so it is empty.
    with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
        if stat.S_ISCHR(os.fstat(file.fileno()).st_mode):
            raise CorpusError(f"{path} is a device; expected a file, a folder, or - for standard input")
        if hasattr(os, "set_blocking"):
            os.set_blocking(file.fileno(), True)
        return unpack(bounded(file, str(path)), str(path))


def bounded(file: Any, source: str, block_size: int = 1 << 24, each: Callable[[int], None] | None = None) -> bytes:
    """All of `file`, which may be endless. each: called after every block with the bytes so far.

    Raises:
        CorpusError: more than `_MOST` bytes.
    """
    blocks, size = [], 0
    while block := file.read(block_size):
        blocks.append(block)
        size += len(block)
        if size > _MOST:
            raise CorpusError(
                f"{source}: more than {_MOST >> 30} GiB, the most that a corpus may have; give a part of it"
            )
        if each:
            each(size)
    return b"".join(blocks)


def unpack(data: bytes, source: str) -> bytes:
    """`data`, unpacked if `source` ends with .gz or .xz and it is one."""
    with unpacked(io.BytesIO(data), source, data) as file:
        return data if file is None else bounded(file, source)


@contextmanager
def unpacked(file: Any, source: str, start: bytes) -> Iterator[Any]:
    """What unpacks `file`, which begins with `start`, if `source` ends with .gz or .xz and it is one; else None.

    Raises:
        CorpusError: it is damaged, which may show when it is read.
    """
    if source.endswith(".gz") and start.startswith(b"\x1f\x8b"):
        kind, reader = "gzip", gzip.GzipFile(fileobj=file)
    elif source.endswith(".xz") and start.startswith(b"\xfd7zXZ\0"):
        kind, reader = "xz", lzma.LZMAFile(file)  # noqa: SIM115
    else:
        yield None
        return
    try:
        yield reader
    except (gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError) as error:
        raise CorpusError(f"{source}: not a whole {kind} file ({error})") from None


def decode(data: bytes, source: str, encoding: str | None, errors: str) -> str:
    """Text of bytes, without the mark at its beginning, which says the encoding where none is given."""
    marked = next((name for mark, name in MARKS if data.startswith(mark)), None)
    encoding = encoding or marked or "utf-8"
    try:
        return data.decode(encoding, errors).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        name = "UTF-8" if encoding == "utf-8" else encoding
        raise CorpusError(
            f"{source}: not {name}: byte 0x{data[error.start]:02x} at offset {error.start} ({error.reason}); give its "
            "--encoding, use --encoding-errors replace to read it as U+FFFD, or --bytes to train on any file as bytes"
        ) from None
    except (ValueError, LookupError) as error:  # an encoding that is none of text
        raise CorpusError(f"{source}: cannot be read as {encoding}: {error}") from None
