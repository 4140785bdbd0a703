"""Corpora: named ones, files, folders, URLs and standard input -> text. It does not import torch.

*The Time Machine* is checked against the book's own file. Project Gutenberg's #35 is the same novel in another
wrapping, with a licence around it, so it can never have that digest: it is a corpus of its own,
`timemachine-gutenberg`.
"""

from __future__ import annotations

import codecs
import difflib
import gzip
import hashlib
import http.client
import io
import os
import re
import stat
import sys
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import platformdirs

from ..errors import CorpusError
from ..files import write_atomically
from ..text import NORMALISATIONS, Vocabulary, json_field, normalise, record_lines, without_blank_lines

Progress = Callable[[int, int | None, str], None]
"""Called with bytes so far, bytes in all if known, and the address."""

_TIMEOUT = 20.0  # seconds without an answer
_TRIES = 2  # per source
_BLOCK = 1 << 16
_MOST = 4 << 30  # bytes of a file, an answer or an unpacked .gz: more would not fit in memory as text
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
          (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))  # fmt: skip


@dataclass(frozen=True)
class _Named:
    what: str
    file: str
    sources: tuple[str, ...]
    algorithm: str = ""
    digest: str = ""


_NAMED = {
    "timemachine": _Named(
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
    "timemachine-gutenberg": _Named(
        "The Time Machine, Project Gutenberg #35, without its licence",
        "timemachine-gutenberg.txt",
        ("https://www.gutenberg.org/cache/epub/35/pg35.txt", "https://www.gutenberg.org/files/35/35-0.txt"),
    ),
    "shakespeare": _Named(
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


@dataclass(frozen=True)
class Corpus:
    """A text to train on."""

    name: str
    text: str | bytes
    normalisation: str
    """What was done to the text: "book" or "none"."""
    source: str
    """A path, an address, "bundled" or "standard input"."""
    records: bool = False
    """The text is lines that stand for themselves, each with its line end; see `records`."""

    def vocabulary(self) -> Vocabulary:
        """Of this text's characters; of bytes if the text is bytes."""
        return Vocabulary.from_text(self.text) if isinstance(self.text, str) else Vocabulary.bytes()

    def __len__(self) -> int:
        return len(self.text)


def corpora() -> list[dict[str, Any]]:
    """The named corpora: name, what it is, and where it is now ("bundled", a path, or None: to be downloaded)."""
    rows: list[dict[str, Any]] = [
        {"name": "traveller", "what": "a short story written for Elman; needs no network", "where": "bundled"}
    ]
    for name, entry in _NAMED.items():
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


def load_corpus(
    name_or_path: str | Path,
    max_chars: int | None = None,
    *,
    normalisation: str = "book",
    as_bytes: bool = False,
    encoding: str | None = None,
    encoding_errors: str = "strict",
    records: bool = False,
    field: str | None = None,
    progress: Progress | None = None,
) -> Corpus:
    """Text from a named corpus, a file, a .gz, a folder of text files, an http(s) address, or "-" for standard input.

    Args:
        max_chars: keep the first so many characters, counted after normalisation. None: all.
        normalisation: "book" (lower-case, white space collapsed) or "none" (the text as it is, line ends included).
        as_bytes: take any file as bytes, with a vocabulary of 256; nothing is decoded or normalised.
        encoding: of text, such as "cp1252". None: what the mark at a file's beginning says, or UTF-8.
        encoding_errors: "strict", or "replace" to read what cannot be decoded as U+FFFD.
        records: the text is records, one a line; blank lines are dropped, and `max_chars` keeps whole records only.
        field: the file is JSON lines, and the records are the strings in this field of its objects.
        progress: called while downloading.
    Raises:
        CorpusError: missing, unreadable, empty, not UTF-8, or not to be downloaded; one line.
    """
    if normalisation not in NORMALISATIONS:
        raise CorpusError(f"normalisation must be one of {', '.join(NORMALISATIONS)}; got {normalisation!r}")
    if encoding_errors not in ("strict", "replace"):
        raise CorpusError(f"encoding_errors must be strict or replace; got {encoding_errors!r}")
    if max_chars is not None and max_chars < 1:
        raise CorpusError(f"max_chars must be at least 1, got {max_chars}")
    try:
        codecs.lookup(encoding or "utf-8")
    except (LookupError, ValueError):
        raise CorpusError(f"there is no encoding {encoding!r}; examples: utf-8, utf-16, cp1252, latin-1") from None
    name, source, parts = _read(str(name_or_path), progress)
    text: str | bytes
    if as_bytes:
        if field:
            raise CorpusError("a field of JSON is text; leave out --bytes, or --field")
        if encoding:
            raise CorpusError("bytes have no encoding; leave out --bytes, or --encoding")
        text, normalisation = b"\n".join(data for _, data in parts), "none"
        if records:
            text = without_blank_lines(record_lines(text, "none"))
        text = text[:max_chars]
    else:
        texts = [(place, _decode(data, place, encoding, encoding_errors)) for place, data in parts]
        del parts
        if field is not None:
            texts, records = [(place, _field(text, field, place)) for place, text in texts], True
        decoded = ("" if field is not None else "\n").join(text for _, text in texts)
        if name == "timemachine-gutenberg":
            decoded = _without_licence(decoded)
        if records:
            text = without_blank_lines(record_lines(decoded, normalisation))[:max_chars]
        else:
            text = _first(decoded, normalisation, max_chars)
    if records and text:
        text = text[: text.rfind(b"\n" if isinstance(text, bytes) else "\n") + 1]  # type: ignore[operator]
        if not text:
            raise CorpusError(f"max_chars {max_chars} is less than the first record of {source} has; raise it")
    if not text:
        raise CorpusError(f"{source} is empty; expected a text")
    return Corpus(name, text, normalisation, source, records)


def _field(text: str, field: str, source: str) -> str:
    try:
        return json_field(text, field, source)
    except ValueError as error:
        raise CorpusError(str(error)) from None


def _first(text: str, normalisation: str, max_chars: int | None) -> str:
    """The first `max_chars` characters of the normalised text, normalising no more of it than that takes."""
    if max_chars is None:
        return normalise(text, normalisation)
    take = max_chars
    while True:
        result = normalise(text[:take], normalisation)
        # One more than asked for, so that a run of white space cut at the end cannot matter.
        if len(result) > max_chars or take >= len(text):
            return result[:max_chars]
        take = take * 2 + 1024


Part = tuple[str, bytes]  # where it came from, and what was there


def _read(name: str, progress: Progress | None) -> tuple[str, str, list[Part]]:
    """(name, source, raw bytes, one part for each file)."""
    if name == "traveller":
        return name, "bundled", [(name, (resources.files("elman.corpora") / "traveller.txt").read_bytes())]
    if name in _NAMED:
        place, data = _read_named(name, _NAMED[name], progress)
        return name, place, [(place, data)]
    if name == "-":
        return "stdin", "standard input", [("standard input", _bounded(sys.stdin.buffer, "standard input"))]
    if name.lower().startswith(("http://", "https://")):
        _refuse_password(name)
        last = urllib.parse.urlsplit(name).path.rstrip("/").rsplit("/", 1)[-1]
        data = _gunzip(_download([name], None, progress), urllib.parse.urlsplit(name).path)
        return "download" if last in ("", ".", "..") else last, name, [(name, data)]
    path = Path(name)
    try:
        if path.is_dir():
            return path.resolve().name, name, _read_folder(path)
        return path.name, name, [(name, _read_file(path))]
    except FileNotFoundError:
        known = ["traveller", *_NAMED]
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known corpora: {', '.join(known)}"
        raise CorpusError(f"{name}: no such file, folder or corpus; {hint}") from None
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        if isinstance(error, CorpusError):
            raise
        raise CorpusError(f"{name}: {getattr(error, 'strerror', None) or error}") from None


def _read_folder(path: Path) -> list[Part]:
    """All regular files below `path` that are not hidden, in order of their paths."""
    try:
        files = sorted(
            f for f in path.rglob("*") if f.is_file() and not any(p.startswith(".") for p in f.relative_to(path).parts)
        )
    except RecursionError:
        raise CorpusError(f"{path}: its folders are nested too deep to be read; give one further down") from None
    if not files:
        raise CorpusError(f"{path} is a folder with no files in it; give one with text files")
    return [(str(f), _read_file(f)) for f in files]


def _read_file(path: Path) -> bytes:
    # A FIFO without a writer would make an ordinary open wait for ever; so it is empty.
    with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
        if stat.S_ISCHR(os.fstat(file.fileno()).st_mode):
            raise CorpusError(f"{path} is a device; expected a file, a folder, or - for standard input")
        if hasattr(os, "set_blocking"):
            os.set_blocking(file.fileno(), True)
        return _gunzip(_bounded(file, str(path)), str(path))


def _bounded(file: Any, source: str) -> bytes:
    """All of `file`, which may be endless.

    Raises:
        CorpusError: more than `_MOST` bytes.
    """
    blocks, size = [], 0
    while block := file.read(1 << 24):
        blocks.append(block)
        size += len(block)
        if size > _MOST:
            raise CorpusError(
                f"{source}: more than {_MOST >> 30} GiB, the most that a corpus may have; give a part of it"
            )
    return b"".join(blocks)


def _gunzip(data: bytes, source: str) -> bytes:
    if not data.startswith(b"\x1f\x8b") or not source.endswith(".gz"):
        return data
    try:
        return _bounded(gzip.GzipFile(fileobj=io.BytesIO(data)), source)
    except (OSError, EOFError, zlib.error) as error:
        raise CorpusError(f"{source}: not a whole gzip file ({error})") from None


def _decode(data: bytes, source: str, encoding: str | None, errors: str) -> str:
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), None)
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


def _without_licence(text: str) -> str:
    """What stands between Project Gutenberg's START and END lines."""
    found = re.search(r"\*\*\* ?START OF.*?\*\*\*(.*?)\*\*\* ?END OF", text, re.DOTALL)
    return found[1].strip() if found else text


def _cache() -> Path:
    return Path(platformdirs.user_cache_dir("elman"))


def _places(entry: _Named) -> list[Path]:
    """Where a named corpus may already be: $ELMAN_DATA, then the cache."""
    data = os.environ.get("ELMAN_DATA")
    return [*([Path(data) / entry.file] if data else []), _cache() / entry.file]


def _read_named(name: str, entry: _Named, progress: Progress | None) -> tuple[str, bytes]:
    """(where it was found, raw bytes), with the right digest."""
    cached = _cache() / entry.file
    for path in _places(entry):
        try:
            data = _read_file(path)
        except OSError:
            continue
        if not (wrong := _wrong_digest(data, entry)):
            return str(path), data
        if path != cached:
            raise CorpusError(f"{path}: {wrong}; replace the file, or unset ELMAN_DATA to download it")
    try:
        data = _download(list(entry.sources), entry, progress)
    except CorpusError as error:
        raise CorpusError(
            f"could not get {name!r}: {error}; without network, put the file at {cached}, or set ELMAN_DATA to the "
            f"folder that holds {entry.file}"
        ) from None
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(cached, data)
    except OSError:
        return entry.sources[0], data  # a cache that cannot be written costs the next run a download, no more
    return str(cached), data


def _wrong_digest(data: bytes, entry: _Named) -> str:
    """What is wrong with the digest of `data`; empty if nothing is."""
    if not entry.digest:
        return ""
    got = hashlib.new(entry.algorithm, data).hexdigest()
    return "" if got == entry.digest else f"expected {entry.algorithm} {entry.digest}, got {got} ({len(data):,} bytes)"


def _download(sources: list[str], entry: _Named | None, progress: Progress | None) -> bytes:
    """The first source that answers with the right bytes."""
    failures = []
    for url in sources:
        reason = ""
        for _ in range(_TRIES):
            try:
                data = _fetch(url, progress)
            # Time-outs and cut connections are OSErrors; a cut chunk and a malformed address are HTTPExceptions.
            except (OSError, ValueError, http.client.HTTPException) as error:
                if isinstance(error, CorpusError):
                    raise
                reason = str(getattr(error, "reason", None) or error)
                if isinstance(error, urllib.error.HTTPError) and error.code < 500:
                    reason = f"HTTP {error.code} {error.reason}"
                    break
                continue
            reason = _wrong_digest(data, entry) if entry else ""
            if not reason:
                return data
        failures.append(f"{url} ({reason})")
    raise CorpusError("tried " + ", ".join(failures))


class _OnlyHttp(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if not newurl.lower().startswith(("http://", "https://")):
            raise OSError(f"it redirects to a {newurl.partition(':')[0]} address; expected http or https")
        _refuse_password(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetch(url: str, progress: Progress | None) -> bytes:
    request = urllib.request.Request(url, headers={"User-Agent": "elman"})
    with urllib.request.build_opener(_OnlyHttp).open(request, timeout=_TIMEOUT) as answer:
        length = answer.headers.get("Content-Length")
        total = int(length) if length else None
        data = io.BytesIO()
        while block := answer.read(_BLOCK):
            data.write(block)
            if data.tell() > _MOST:
                raise CorpusError(f"{url}: more than {_MOST >> 30} GiB, the most that a corpus may have")
            if progress:
                progress(data.tell(), total, url)
    if total is not None and data.tell() != total:
        raise OSError(f"the connection ended after {data.tell():,} of {total:,} bytes")
    return data.getvalue()


def _refuse_password(url: str) -> None:
    """Raises CorpusError for an address with a user name or a password, of which it shows neither: it would be kept in
    the model's file, and the download could not use it."""
    try:
        parts = urllib.parse.urlsplit(url)
        has_one = "@" in parts.netloc
        _ = parts.port  # raises where it is no number
    except ValueError:  # no address at all; perhaps a password with a slash in it
        has_one = "@" in url
    if has_one:
        raise CorpusError(
            f"the address at {url.rpartition('@')[2]} has a user name or a password; download it by other means and "
            "give the file, or - for standard input"
        )
