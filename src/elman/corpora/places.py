"""Places: a corpus's name, a file, a folder, an address or standard input -> its parts, opened to be read."""

from __future__ import annotations

import difflib
import io
import os
import sys
import urllib.parse
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from ..errors import CorpusError
from .files import Part, Progress, blocks, bounded, folder_files, unpacked
from .named import BUNDLED, NAMED, is_named, read_named


def whole_place(name: str) -> str:
    """Make a place independent of the current folder: the absolute path of a file."""
    if is_named(name) or name == "-" or name.lower().startswith(("http://", "https://")):
        return name
    return os.path.abspath(name)


def size_on_disk(name_or_path: str | Path) -> int:
    """Bytes of a file or folder; 0 for whatever else a corpus may be."""
    path = Path(name_or_path)
    if is_named(str(name_or_path)) or str(name_or_path) == "-":
        return 0
    try:
        return sum(f.stat().st_size for f in folder_files(path)) if path.is_dir() else path.stat().st_size
    except (OSError, ValueError):  # no such file: loading it says so
        return 0


def standard_input() -> Iterator[bytes]:
    """Yield standard input in blocks."""
    return bounded(sys.stdin.buffer, "standard input")


def opened(name: str, progress: Progress | None, whole: bool) -> tuple[str, str, list[Part]]:
    """(name, source, a part for each file). whole: all of it will be read, so a download may be tried again
    wherever it breaks off.

    Raises:
        CorpusError: there is no such place, or it cannot be read or downloaded; some of this shows when parts are read.
    """
    if name == BUNDLED:
        data = (resources.files("elman.corpora") / "traveller.txt").read_bytes()
        return name, "bundled", [(name, iter([data]))]
    if name in NAMED:
        place, data = read_named(name, NAMED[name], progress)
        return name, place, [(place, iter([data]))]
    if name == "-":
        return "stdin", "standard input", [("standard input", standard_input())]
    if name.lower().startswith(("http://", "https://")):
        return _address(name, progress, whole)
    place = Path(name)
    try:
        if place.is_dir():
            files = folder_files(place)
            return place.resolve().name, name, [(str(file), blocks(file)) for file in files]
        place.stat()
    except FileNotFoundError:
        known = [BUNDLED, *NAMED]
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known corpora: {', '.join(known)}"
        raise CorpusError(f"{name}: no such file, folder or corpus; {hint}") from None
    except CorpusError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise CorpusError(f"{name}: {getattr(error, 'strerror', None) or error}") from None
    return place.name, name, [(name, blocks(place))]


def _address(name: str, progress: Progress | None, whole: bool) -> tuple[str, str, list[Part]]:
    from .download import download, refuse_password, stream  # its imports cost more than most commands do

    refuse_password(name)
    path = urllib.parse.urlsplit(name).path
    last = path.rstrip("/").rsplit("/", 1)[-1]
    shown = "download" if last in ("", ".", "..") else last
    if not whole:
        return shown, name, [(name, stream(name, progress))]
    data = download([name], progress)
    return shown, name, [(name, unpacked(io.BytesIO(data), path, data[:6]))]
