"""Corpora: named ones, files, folders, addresses and standard input -> text."""

from __future__ import annotations

import codecs
import difflib
import os
import sys
import urllib.parse
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from ..errors import CorpusError
from ..text import (
    NORMALISATIONS,
    csv_field,
    json_field,
    normalise,
    record_lines,
    without_blank_lines,
    word_border,
)
from .corpus import Corpus
from .files import Part, Progress, bounded, decode, folder_files, read_file, read_folder, unpack
from .mapped import MappedCorpus, load_mapped, release
from .named import NAMED, corpora, read_named, without_licence
from .tokens import SAMPLE, Tokens, reads_bytes, subwords

__all__ = [
    "NAMED",
    "SAMPLE",
    "Corpus",
    "MappedCorpus",
    "Progress",
    "Tokens",
    "corpora",
    "load_corpus",
    "load_mapped",
    "release",
    "size_on_disk",
]


def load_corpus(
    name_or_path: str | Path | Sequence[str | Path],
    max_chars: int | None = None,
    *,
    normalisation: str = "book",
    tokens: Tokens = "chars",
    encoding: str | None = None,
    encoding_errors: str = "strict",
    records: bool = False,
    field: str | None = None,
    progress: Progress | None = None,
) -> Corpus:
    """Text from a named corpus, a file, a .gz or .xz, a folder of files, an http(s) address, or "-" for standard input.

    Args:
        name_or_path: one of these, or several, whose texts are put one after another.
        max_chars: keep the first so many characters, counted after normalisation. None: all.
        normalisation: "book" (lower-case, white space collapsed) or "none" (the text as it is, line ends included).
        tokens: what the text is cut into. "chars": the characters that it has. "bytes": take any file as bytes, with a
            vocabulary of 256; nothing is decoded or normalised. "bpe:N": subwords, N entries with the 256 bytes,
            trained on its first 32 Mi characters. The path of a tokenizer.json: its subwords. Or a model's vocabulary.
        encoding: of text, such as "cp1252". None: what the mark at a file's beginning says, or UTF-8.
        encoding_errors: "strict", or "replace" to read what cannot be decoded as U+FFFD.
        records: the text is records, one a line; blank lines are dropped, and `max_chars` keeps whole records only.
        field: the records are the strings in this field of the objects of JSON lines, "a.b" being b in a; or in this
            column, where a file's name ends with .csv or .tsv. What is null is left out.
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
    one = isinstance(name_or_path, (str, Path))
    places = [str(name_or_path)] if one else [str(place) for place in name_or_path]
    if not places:
        raise CorpusError("no text is named; expected at least one")
    found = [_read(place, progress) for place in places]
    name, source, parts = found[0][0], found[0][1], [part for _, _, of_one in found for part in of_one]
    if len(found) > 1:
        name, source = f"{name}+{len(found) - 1}", tuple(source for _, source, _ in found)
    shown = source if isinstance(source, str) else ", ".join(source)
    loaded = {
        "name_or_path": _place(places[0]) if one else [_place(place) for place in places],
        "max_chars": max_chars, "normalisation": normalisation, "encoding": encoding,
        "encoding_errors": encoding_errors, "records": records, "field": field,
    }  # fmt: skip
    text: str | bytes
    as_bytes = reads_bytes(tokens)
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
        licensed = {place for of, _, parts in found if of == "timemachine-gutenberg" for place, _ in parts}
        texts = [(place, decode(data, place, encoding, encoding_errors)) for place, data in parts]
        del parts, found
        if field is not None:
            texts, records = [(place, _field(text, field, place)) for place, text in texts], True
        texts = [(place, without_licence(text) if place in licensed else text) for place, text in texts]
        decoded = ("" if field is not None else "\n").join(text for _, text in texts)
        if records:
            text = without_blank_lines(record_lines(decoded, normalisation))[:max_chars]
        else:
            text = _first(decoded, normalisation, max_chars)
    if records and text:
        text = text[: text.rfind(b"\n" if isinstance(text, bytes) else "\n") + 1]  # type: ignore[operator]
        if not text:
            raise CorpusError(f"max_chars {max_chars} is less than the first record of {shown} has; raise it")
    if not text:
        raise CorpusError(f"{shown} is empty; expected a text")
    return Corpus(name, text, normalisation, source, records, loaded, subwords(tokens, [text]))


def _place(name: str) -> str:
    """The same place, from wherever it is looked for: the whole path of a file."""
    if name in ("traveller", "-", *NAMED) or name.lower().startswith(("http://", "https://")):
        return name
    return os.path.abspath(name)


def size_on_disk(name_or_path: str | Path) -> int:
    """Bytes of a file or folder; 0 for whatever else a corpus may be."""
    path = Path(name_or_path)
    if str(name_or_path) in ("traveller", "-", *NAMED):
        return 0
    try:
        return sum(f.stat().st_size for f in folder_files(path)) if path.is_dir() else path.stat().st_size
    except (OSError, ValueError):  # no such file: loading it says so
        return 0


def _field(text: str, field: str, source: str) -> str:
    is_csv = source.lower().removesuffix(".gz").removesuffix(".xz").endswith((".csv", ".tsv"))
    try:
        return (csv_field if is_csv else json_field)(text, field, source)
    except ValueError as error:
        raise CorpusError(str(error)) from None


def _first(text: str, normalisation: str, max_chars: int | None) -> str:
    """The first `max_chars` characters of the normalised text, normalising no more of it than that takes."""
    if max_chars is None:
        return normalise(text, normalisation)
    take = max_chars
    while True:
        take = word_border(text, take)
        result = normalise(text[:take], normalisation)
        # One more than asked for, so that a run of white space cut at the end cannot matter.
        if len(result) > max_chars or take >= len(text):
            return result[:max_chars]
        take = take * 2 + 1024


def _read(name: str, progress: Progress | None) -> tuple[str, str, list[Part]]:
    """(name, source, raw bytes, one part for each file)."""
    if name == "traveller":
        return name, "bundled", [(name, (resources.files("elman.corpora") / "traveller.txt").read_bytes())]
    if name in NAMED:
        place, data = read_named(name, NAMED[name], progress)
        return name, place, [(place, data)]
    if name == "-":
        return "stdin", "standard input", [("standard input", bounded(sys.stdin.buffer, "standard input"))]
    if name.lower().startswith(("http://", "https://")):
        from .download import download, refuse_password  # its imports cost more than most commands do

        refuse_password(name)
        path = urllib.parse.urlsplit(name).path
        last = path.rstrip("/").rsplit("/", 1)[-1]
        data = unpack(download([name], progress), path)
        return "download" if last in ("", ".", "..") else last, name, [(name, data)]
    place = Path(name)
    try:
        if place.is_dir():
            return place.resolve().name, name, read_folder(place)
        return place.name, name, [(name, read_file(place))]
    except FileNotFoundError:
        known = ["traveller", *NAMED]
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known corpora: {', '.join(known)}"
        raise CorpusError(f"{name}: no such file, folder or corpus; {hint}") from None
    except CorpusError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise CorpusError(f"{name}: {getattr(error, 'strerror', None) or error}") from None
