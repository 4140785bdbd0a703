"""Files, folders and pipes -> blocks of bytes or text, as they come: bounded, unpacked and decoded.

Nothing is read before it is asked for, so whoever needs a text's first thousand characters reads little more of it,
also where it is packed.
"""

from __future__ import annotations

import codecs
import gzip
import itertools
import lzma
import os
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ..errors import CorpusError
from ..sources import compressed

Progress = Callable[[int, int | None, str], None]
"""Called with bytes so far, bytes in all if known, and the address that is downloaded."""

_MOST = 4 << 30  # bytes of a file, an answer or an unpacked .gz or .xz: more would not fit in memory as text
BLOCK = 1 << 22  # bytes read at a time
MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
         (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))  # fmt: skip
Part = tuple[str, Iterator[bytes]]
"""The origin of a text, and its bytes in blocks."""


def folder_files(path: Path) -> list[Path]:
    """All regular files below `path` that are not hidden, in order of their paths.

    Raises:
        CorpusError: there are none, or the folders are nested too deep.
    """
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
    """A file's bytes, unpacked if it is a .gz or .xz, or what a pipe holds. Raises OSError or CorpusError."""
    return b"".join(_blocks(path))


def blocks(path: Path) -> Iterator[bytes]:
    """A file's bytes, unpacked if it is a .gz or .xz, or what a pipe holds, in blocks.

    Raises:
        CorpusError: it cannot be read, is a device, is a damaged .gz or .xz, or more than 4 GiB.
    """
    try:
        yield from _blocks(path)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        if isinstance(error, CorpusError):
            raise
        raise CorpusError(f"{path}: {getattr(error, 'strerror', None) or error}") from None


def _blocks(path: Path) -> Iterator[bytes]:
    # A FIFO without a writer would make an ordinary open wait for ever; so it is empty.
    with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
        if stat.S_ISCHR(os.fstat(file.fileno()).st_mode):
            raise CorpusError(f"{path} is a device; expected a file, a folder, or - for standard input")
        if hasattr(os, "set_blocking"):
            os.set_blocking(file.fileno(), True)
        start = file.peek(6)
        if ours := compressed(start):
            raise CorpusError(f"{path}: not a text: {ours}")
        yield from unpacked(file, str(path), start)


def bounded(
    file: Any, source: str, each: Callable[[int], None] | None = None, size: int | None = None
) -> Iterator[bytes]:
    """The blocks of `file`, which may be endless. each: called after every block with the bytes so far.

    Raises:
        CorpusError: more than `_MOST` bytes.
    """
    done = 0
    while block := file.read(size or BLOCK):
        done += len(block)
        if done > _MOST:
            raise CorpusError(
                f"{source}: more than {_MOST >> 30} GiB, the most that a corpus may have; give a part of it"
            )
        if each:
            each(done)
        yield block


DAMAGED = gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError
"""Exceptions that reading a damaged compressed file raises."""


def unpacked(file: Any, source: str, start: bytes) -> Iterator[bytes]:
    """The blocks of `file`, which begins with `start`; unpacked if `source` ends with .gz or .xz and it is one.

    Raises:
        CorpusError: it is damaged, which shows where it is read, or has too many bytes.
    """
    if source.endswith(".gz") and start.startswith(b"\x1f\x8b"):
        kind, reader = "gzip", gzip.GzipFile(fileobj=file)
    elif source.endswith(".xz") and start.startswith(b"\xfd7zXZ\0"):
        kind, reader = "xz", lzma.LZMAFile(file)  # noqa: SIM115
    else:
        yield from bounded(file, source)
        return
    try:
        yield from bounded(reader, source)
    except DAMAGED as error:
        raise CorpusError(f"{source}: not a whole {kind} file ({error})") from None


def decoded(data: Iterable[bytes], source: str, encoding: str | None, errors: str) -> Iterator[str]:
    """Text of blocks of bytes, without a byte order mark, which says the encoding where none is given.

    Raises:
        CorpusError: bytes that are not in the encoding.
    """
    decoder, offset, begun, name = None, 0, False, ""
    for block in itertools.chain(data, [b""]):
        if decoder is None:
            marked = next((name for mark, name in MARKS if block.startswith(mark)), None)
            name = encoding or marked or "utf-8"
            try:
                b"x".decode(name, "replace")  # some encodings are not of text
                decoder = codecs.getincrementaldecoder(name)(errors)
            except (ValueError, LookupError) as error:
                raise CorpusError(f"{source}: cannot be read as {name}: {error}") from None
        pending = len(decoder.getstate()[0])
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            shown, at = "UTF-8" if name == "utf-8" else name, offset - pending + error.start
            raise CorpusError(
                f"{source}: not {shown}: byte 0x{error.object[error.start]:02x} at offset {at} ({error.reason}); give "
                "its `encoding`, use `encoding_errors` replace to read it as U+FFFD, or `tokens` bytes to train on any "
                "file",
                setting=("encoding", "encoding_errors", "tokens"),
            ) from None
        except (ValueError, LookupError) as error:
            raise CorpusError(f"{source}: cannot be read as {name}: {error}") from None
        offset += len(block)
        if text:
            yield text if begun else text.removeprefix("\ufeff")
            begun = True
