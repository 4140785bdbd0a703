"""Corpora: named ones, files, folders, addresses and standard input -> text."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from .. import given
from ..errors import CorpusError, EmptyTextError, InputError
from ..text import NORMALISATIONS, Reading, Rows, Vocabulary, field_lines, normalised_parts, record_parts
from .cached import cached_files, release
from .corpus import Corpus
from .files import Part, Progress, blocks, decoded, folder_files, read_file
from .mapped import MappedCorpus, load_mapped
from .named import NAMED, cache, corpora, is_named, without_licence
from .places import opened, size_on_disk, standard_input, whole_place
from .tokens import SAMPLE, Tokens, long_tokens, reads_bytes, take

__all__ = [
    "NAMED",
    "SAMPLE",
    "Corpus",
    "MappedCorpus",
    "Progress",
    "Tokens",
    "blocks",
    "cache",
    "cached_files",
    "corpora",
    "decoded",
    "folder_files",
    "is_named",
    "load_corpus",
    "load_mapped",
    "read_file",
    "read_text",
    "release",
    "size_on_disk",
    "standard_input",
    "text_parts",
]
_LINES = 1 << 12  # of fields, put together at a time


def load_corpus(
    name_or_path: str | Path | Sequence[str | Path],
    max_chars: int | None = None,
    *,
    normalisation: str | None = None,
    tokens: Tokens = "chars",
    encoding: str | None = None,
    encoding_errors: str = "strict",
    records: bool = False,
    field: str | None = None,
    or_lines: bool = False,
    progress: Progress | None = None,
) -> Corpus:
    """Text from a named corpus, a file, a .gz or .xz, a folder of files, an http(s) address, or "-" for standard input.

    Args:
        name_or_path: one of these, or several, whose texts are put one after another.
        max_chars: keep the first so many characters, counted after normalisation; little more is read. None: all.
        normalisation: "book" (lower-case, white space collapsed) or "none" (the text unchanged, line ends included).
            None: "book" for the named corpora, "none" for any other text.
        tokens: what the text is cut into. "chars": the characters that it has. "bytes": take any file as bytes, with a
            vocabulary of 256; nothing is decoded or normalised. "bpe:N": subwords, N entries with the 256 bytes,
            trained on its first 32 Mi characters. "split:REGEX": the 256 bytes, and what the expression matches there.
            The path of a tokenizer.json: its subwords. Or a model's vocabulary.
        encoding: of text, such as "cp1252". None: what a file's byte order mark says, or UTF-8.
        encoding_errors: "strict", or "replace" to read what cannot be decoded as U+FFFD.
        records: the text is records, one a line; blank lines are dropped, and `max_chars` keeps whole records only.
        field: the records are the strings in this field of the objects of JSON lines, "a.b" being b in a; or in this
            column of CSV. What is null is left out. See `text.field_lines` for how the two are told apart.
        or_lines: with a field, take a file unchanged whose name and first line do not say that it has rows.
        progress: called while downloading.
    Raises:
        CorpusError: missing, unreadable, not UTF-8, or not to be downloaded; one line.
        EmptyTextError: a text without a character.
    """
    if normalisation is not None and (not isinstance(normalisation, str) or normalisation not in NORMALISATIONS):
        got = given.shown(normalisation)
        raise CorpusError(f"normalisation must be one of {', '.join(NORMALISATIONS)}; got {got}")
    if max_chars is not None:
        max_chars = given.whole("max_chars", max_chars, 1)
    given.instance(
        "tokens", tokens, (str, Vocabulary), "chars, bytes, bpe:N, split:REGEX, a tokenizer.json or a Vocabulary"
    )
    given.instance("encoding", encoding, (str, type(None)), "a str or None")
    given.instance("encoding_errors", encoding_errors, str, "strict or replace")
    given.instance("records", records, bool, "True or False")
    given.instance("field", field, (str, type(None)), "a str or None")
    if not isinstance(name_or_path, (str, Path)):
        given.instance("name_or_path", name_or_path, Sequence, "a name or a path, or several")
        for place in name_or_path:
            given.instance("name_or_path", place, (str, Path), "a name or a path, or several")
    one, as_bytes = isinstance(name_or_path, (str, Path)), reads_bytes(tokens)
    places = [str(name_or_path)] if isinstance(name_or_path, (str, Path)) else list(map(str, name_or_path))
    if not places:
        raise CorpusError("no text is named; expected at least one")
    if normalisation is None:
        normalisation = "book" if all(map(is_named, places)) else "none"
    found = [opened(place, progress, max_chars is None) for place in places]
    name, source = found[0][:2]
    if len(found) > 1:
        name, source = f"{name}+{len(found) - 1}", tuple(source for _, source, _ in found)
    shown = source if isinstance(source, str) else ", ".join(source)
    loaded = {
        "name_or_path": whole_place(places[0]) if one else [whole_place(place) for place in places],
        "max_chars": max_chars, "normalisation": normalisation, "encoding": encoding,
        "encoding_errors": encoding_errors, "records": records, "field": field,
    } | ({"or_lines": True} if or_lines else {})  # fmt: skip
    licensed = {place for of, _, parts in found if of == "timemachine-gutenberg" for place, _ in parts}
    parts = [part for _, _, of_one in found for part in of_one]
    pieces = _pieces(parts, as_bytes, (encoding, encoding_errors), (field, or_lines), licensed)
    records = records or field is not None
    normalisation = "none" if as_bytes else normalisation
    pieces = record_parts(pieces, normalisation) if records else pieces
    pieces = pieces if records or as_bytes else normalised_parts(pieces, normalisation)
    text: Any = (b"" if as_bytes else "").join(take(pieces, max_chars))
    if records and text:
        text = text[: text.rfind(b"\n" if as_bytes else "\n") + 1]
        if not text:
            raise CorpusError(f"max_chars {max_chars} is less than the first record of {shown} has; raise it")
    if not text:
        raise EmptyTextError(f"{shown} is empty; expected a text")
    return Corpus(name, text, normalisation, source, records, loaded, long_tokens(tokens, [text]))


def read_text(
    reading: Reading,
    place: str | Path,
    *,
    encoding: str | None = None,
    encoding_errors: str = "strict",
    field: str | None = None,
    rows: Rows | None = None,
) -> str | bytes:
    """A text for a model to read, from wherever `load_corpus` reads one; not yet normalised.

    Args:
        encoding, encoding_errors: as for `load_corpus`.
        field: as for `load_corpus`. None: the one that the model was trained on, of a file whose name or first line
            says that it has rows. "": whole lines.
        rows: gets the line of each row, and its columns to keep.
    Returns:
        str; bytes for a model of bytes.
    Raises:
        CorpusError: as `load_corpus`.
    """
    parts = text_parts(reading, place, encoding=encoding, encoding_errors=encoding_errors, field=field, rows=rows)
    text: Any = (b"" if reading.is_bytes else "").join(parts)
    return text


def text_parts(
    reading: Reading,
    place: str | Path,
    *,
    encoding: str | None = None,
    encoding_errors: str = "strict",
    field: str | None = None,
    rows: Rows | None = None,
) -> Iterator[Any]:
    """`read_text` in parts, str or bytes, each read when it is asked for: a text may be larger than memory.

    Raises:
        CorpusError: at once where there is no such place; what is wrong inside it, where it is met.
    """
    name, or_lines = str(place), field is None
    field = reading.field if field is None else field or None
    as_bytes, parts = reading.is_bytes, opened(name, None, True)[2]
    pieces = _pieces(parts, as_bytes, (encoding, encoding_errors), (field, or_lines), set(), rows)
    return _some(pieces, "standard input" if name == "-" else name)


def _some(pieces: Iterator[Any], name: str) -> Iterator[Any]:
    """Raises EmptyTextError if there is nothing in them."""
    empty = True
    for piece in filter(len, pieces):
        empty = False
        yield piece
    if empty:
        raise EmptyTextError(f"{name} is empty; expected a text")


def _pieces(
    parts: Sequence[Part],
    as_bytes: bool,
    encoding: tuple[str | None, str],
    of_rows: tuple[str | None, bool],
    licensed: set[str],
    rows: Rows | None = None,
) -> Iterator[Any]:
    """The contents of parts, one after another: text or bytes; for rows, the field's lines.

    Args:
        encoding: its name, and what to do about errors.
        of_rows: the field, and whether lines may be taken unchanged.
        licensed: places of texts within a licence.
    """
    (field, or_lines), (name, errors) = of_rows, encoding
    if errors not in ("strict", "replace"):
        raise CorpusError(f"encoding_errors must be strict or replace; got {errors!r}", setting="encoding_errors")
    try:
        codecs.lookup(name or "utf-8")
    except (LookupError, ValueError):
        raise CorpusError(f"there is no encoding {name!r}; examples: utf-8, utf-16, cp1252, latin-1") from None
    if as_bytes and name and field is None:
        raise CorpusError(
            "bytes have no encoding; leave out `tokens` bytes, or `encoding`", setting=("tokens", "encoding")
        )
    for number, (place, data) in enumerate(parts):
        if field is not None:
            lines = field_lines(decoded(data, place, name, errors), field, place, or_lines, rows)
            try:
                while some := "".join(islice(lines, _LINES)):
                    yield some.encode() if as_bytes else some
            except InputError as error:
                raise CorpusError(str(error), setting=error.settings) from None
            continue
        if number:
            yield b"\n" if as_bytes else "\n"
        if place in licensed:
            yield without_licence("".join(decoded(data, place, name, errors)))
        else:
            yield from data if as_bytes else decoded(data, place, name, errors)
