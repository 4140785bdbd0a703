"""Corpora that have names: where each comes from, and how its bytes are known.

*The Time Machine* is checked against the book's own file. Project Gutenberg's #35 is the same novel in another
wrapping, with a licence around it, so it can never have that digest: it is a separate corpus,
`timemachine-gutenberg`.
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from ..errors import CorpusError
from ..files import write_atomically
from .files import Progress, read_file


@dataclass(frozen=True)
class Named:
    what: str
    file: str
    sources: tuple[str, ...]
    algorithm: str = ""
    digest: str = ""


BUNDLED = "traveller"
"""The one that comes with the package."""
NAMED = {
    "timemachine": Named(
        "H. G. Wells, The Time Machine, the book's file",
        "timemachine.txt",
        (
            "https://d2l-data.s3-accelerate.amazonaws.com/timemachine.txt",
            "http://d2l-data.s3-accelerate.amazonaws.com/timemachine.txt",
            "https://d2l-data.s3.amazonaws.com/timemachine.txt",
        ),
        "sha1",
        "090b5e7e70c295757f55df93cb0a180b9691891a",
    ),
    "timemachine-gutenberg": Named(
        "The Time Machine, Project Gutenberg #35, without its licence",
        "timemachine-gutenberg.txt",
        ("https://www.gutenberg.org/cache/epub/35/pg35.txt", "https://www.gutenberg.org/files/35/35-0.txt"),
    ),
    "shakespeare": Named(
        "tiny Shakespeare: 40,000 lines of the plays",
        "tinyshakespeare.txt",
        (
            "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
            "https://cdn.jsdelivr.net/gh/karpathy/char-rnn@master/data/tinyshakespeare/input.txt",
        ),
        "sha256",
        "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    ),
}


def is_named(place: str) -> bool:
    """Whether it is one of Elman's own corpora, which are the book's."""
    return place == BUNDLED or place in NAMED


def corpora() -> list[dict[str, Any]]:
    """The named corpora: name, what it is, and where it is now ("bundled", a path, or None: to be downloaded)."""
    rows: list[dict[str, Any]] = [
        {"name": BUNDLED, "what": "a short story written for Elman; needs no network", "where": "bundled"}
    ]
    for name, entry in NAMED.items():
        here = [str(path) for path in _places(entry) if path.is_file()]
        rows.append(
            {
                "name": name,
                "what": entry.what,
                "where": here[0] if here else None,
                "sources": list(entry.sources),
                "digest": f"{entry.algorithm}:{entry.digest}" if entry.digest else None,
            }
        )
    return rows


def cache() -> Path:
    """The folder for what is downloaded or computed once.

    Raises:
        CorpusError: the user has no home folder, as in a container whose user number is unknown.
    """
    try:
        folder = Path(platformdirs.user_cache_dir("elman"))
    except (RuntimeError, KeyError):
        folder = Path()
    if not folder.is_absolute():
        raise CorpusError("no home folder to keep files in; set HOME, or XDG_CACHE_HOME to a folder") from None
    return folder


def _places(entry: Named) -> list[Path]:
    """Places where a named corpus may already be: $ELMAN_DATA, then the cache."""
    data = os.environ.get("ELMAN_DATA")
    with suppress(CorpusError):  # no home: nothing is kept
        return [*([Path(data) / entry.file] if data else []), cache() / entry.file]
    return [Path(data) / entry.file] if data else []


def _put(entry: Named) -> str:
    try:
        return f"put the file at {cache() / entry.file}, or "
    except CorpusError:
        return ""


def read_named(name: str, entry: Named, progress: Progress | None) -> tuple[str, bytes]:
    """(where it was found, raw bytes), with the right digest.

    Raises:
        CorpusError: it cannot be had, or its digest is another.
    """
    for path in _places(entry):
        try:
            data = read_file(path)
        except OSError:
            continue
        if not (wrong := wrong_digest(data, entry)):
            return str(path), data
        if path.parent == Path(os.environ.get("ELMAN_DATA", "")):
            raise CorpusError(f"{path}: {wrong}; replace the file, or unset ELMAN_DATA to download it")
    try:
        from .download import download  # its imports cost more than most commands do

        data = download(entry.sources, progress, lambda data: wrong_digest(data, entry))
    except CorpusError as error:
        raise CorpusError(
            f"could not get {name!r}: {error}; without network, {_put(entry)}set ELMAN_DATA to the folder that holds "
            f"{entry.file}"
        ) from None
    try:
        cached = cache() / entry.file
        cached.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(cached, data)
    except (OSError, CorpusError):
        return entry.sources[0], data  # a cache that cannot be written costs the next run a download, no more
    return str(cached), data


def wrong_digest(data: bytes, entry: Named) -> str:
    """Fault of the digest of `data`; empty if there is none."""
    if not entry.digest:
        return ""
    got = hashlib.new(entry.algorithm, data).hexdigest()
    return "" if got == entry.digest else f"expected {entry.algorithm} {entry.digest}, got {got} ({len(data):,} bytes)"


def without_licence(text: str) -> str:
    """The text between Project Gutenberg's START and END lines."""
    start = re.search(r"\*\*\* ?START OF", text)
    begin = text.find("***", start.end()) if start else -1
    end = re.compile(r"\*\*\* ?END OF").search(text, begin + 3) if begin >= 0 else None
    return text[begin + 3 : end.start()].strip() if end else text
