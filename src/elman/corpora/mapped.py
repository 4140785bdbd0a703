"""A text that need not fit in memory: its ids on disk, made in one pass over it, and mapped.

They lie in the cache under a key of the files' contents and of how they are read, so the next training on them starts
soon, and trainings side by side share them. Memory is bounded by the distinct characters, not by the text. The ids, the
vocabulary and the digest are those that `load_corpus` gives of the same files.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import CorpusError, EmptyTextError, InputError
from ..text import SPLIT, UNKNOWN, Characters, LongTokens, Vocabulary, normalised_parts
from .cached import contents, kept, mapped, place, read_known, unchanged, write_known
from .corpus import Corpus
from .files import blocks, decoded, folder_files
from .named import cache
from .tokens import Tokens, long_tokens, reads_bytes, take

_BLOCK = 1 << 22  # bytes read, or ids written, at a time
_MOST_SYMBOLS = 1 << 16


@dataclass(frozen=True)
class MappedCorpus(Corpus):
    """A Corpus whose `text` is never in memory: `text` is empty, and `ids` has what others encode."""

    mapped: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, dtype=np.uint8), compare=False)
    """(N,) of the smallest unsigned type, by `own`."""
    whole: str = ""
    """SHA-256 of the text."""
    size: int = 0
    """Characters, or bytes, of the text."""

    def digest(self) -> str:
        return self.whole

    def __len__(self) -> int:
        return self.size

    def first(self, max_chars: int | None) -> Corpus:
        """Itself, or mapped once more: the digest is of the whole text."""
        if max_chars is None or max_chars >= len(self):
            return self
        assert self.loaded is not None
        how = {name: self.loaded[name] for name in ("name_or_path", "normalisation", "encoding", "encoding_errors")}
        own = self.vocabulary()
        part = load_mapped(**how, max_chars=max_chars, tokens=own.kind if own.symbols else own)
        return dataclasses.replace(part, source=self.source)

    def cut_into(self, tokens: str) -> Corpus:
        """Itself, mapped once more."""
        assert self.loaded is not None
        names = ("name_or_path", "max_chars", "normalisation", "encoding", "encoding_errors")
        part = load_mapped(**{name: self.loaded[name] for name in names}, tokens=tokens)
        return dataclasses.replace(part, source=self.source)

    def beginning(self, size: int) -> Corpus:
        vocabulary, ids = self.vocabulary(), self.mapped[:size]
        text = vocabulary.decode_bytes(ids) if self.is_bytes else vocabulary.decode(ids)
        return Corpus(self.name, text, self.normalisation, self.source, own=vocabulary)

    def unknown(self, vocabulary: Vocabulary, ids: np.ndarray) -> int:
        if set(self.vocabulary().symbols) <= set(vocabulary.symbols):
            return 0  # not counted, which would read them all
        return vocabulary.unknown(ids)

    def ids(self, vocabulary: Vocabulary) -> np.ndarray:
        """Ids of the text by a vocabulary that has all symbols of this one, as an extended one does.

        Raises:
            InputError: a vocabulary of another kind.
        """
        own = self.vocabulary()
        if vocabulary == own:
            return self.mapped
        if vocabulary.kind != own.kind or not own.symbols:
            raise InputError(f"{self.source} is {own.kind}, and the model reads other {vocabulary.kind}")
        table = vocabulary.encode("".join(own.symbols[1:]))
        table = np.concatenate([np.zeros(1, dtype=table.dtype), table])
        path = place(".ids", self.whole, own.to_dict(), vocabulary.to_dict())

        def make(file: BinaryIO) -> dict[str, Any]:
            for start in range(0, len(self), _BLOCK):
                file.write(table[self.mapped[start : start + _BLOCK]].tobytes())
            return {}

        kept(path, make)
        return mapped(path, table.dtype)


def load_mapped(
    name_or_path: str | Path,
    max_chars: int | None = None,
    *,
    normalisation: str = "none",
    tokens: Tokens = "chars",
    encoding: str | None = None,
    encoding_errors: str = "strict",
) -> MappedCorpus:
    """A file, a .gz, an .xz or a folder as a MappedCorpus. Arguments as `load_corpus`, of text that is no records.

    Raises:
        CorpusError: missing, unreadable, empty, not in the encoding, or of more than 65,535 distinct characters.
    """
    where = Path(os.path.abspath(name_or_path))
    as_bytes = reads_bytes(tokens)
    how = {
        "max_chars": max_chars, "normalisation": "none" if as_bytes else normalisation, "as_bytes": as_bytes,
        "encoding": encoding, "encoding_errors": encoding_errors,
    }  # fmt: skip
    files = folder_files(where) if where.is_dir() else [where]
    keys, states = contents(files)
    own = _long_tokens(tokens, files, keys, how)
    path = place(".ids", keys, how, None if own is None else own.to_dict())

    def make(file: BinaryIO) -> dict[str, Any]:
        made = _make(files, file, own, **how)
        unchanged(files, states)
        return made

    known = kept(path, make)
    vocabulary = Vocabulary.from_dict(known["vocabulary"])
    how.pop("as_bytes")
    loaded = {"name_or_path": str(where), "mapped": True, "records": False, "field": None} | how
    return MappedCorpus(
        where.name, b"" if as_bytes else "", how["normalisation"], str(name_or_path), False, loaded, vocabulary,
        mapped=mapped(path, vocabulary.dtype), whole=known["digest"], size=known["size"],
    )  # fmt: skip


def _long_tokens(tokens: Tokens, files: list[Path], keys: list[str], how: dict[str, Any]) -> LongTokens | None:
    """Like `long_tokens`; those that are found in the text are kept in the cache."""
    path = place(".bpe", keys, how, tokens) if isinstance(tokens, str) and tokens.startswith(("bpe:", SPLIT)) else None
    if path is not None and (known := read_known(path)) is not None:
        return Vocabulary.from_dict(known)  # type: ignore[return-value]
    own = long_tokens(tokens, _parts(files, **how))
    if path is not None and own is not None:
        write_known(path, own.to_dict())
    return own


def _parts(
    files: list[Path],
    max_chars: int | None,
    normalisation: str,
    as_bytes: bool,
    encoding: str | None,
    encoding_errors: str,
) -> Iterator[Any]:
    """Yield the text to count and train on, as bytes or characters."""
    if as_bytes:
        return take(_joined(map(blocks, files), b"\n"), max_chars)
    texts = (decoded(blocks(path), str(path), encoding, encoding_errors) for path in files)
    return take(normalised_parts(_joined(texts, "\n"), normalisation), max_chars)


def _joined(texts: Iterable[Iterator[Any]], between: str | bytes) -> Iterator[Any]:
    for number, parts in enumerate(texts):
        if number:
            yield between
        yield from parts


def _make(files: list[Path], file: BinaryIO, own: LongTokens | None, **how: Any) -> dict[str, Any]:
    """Write the ids, and say what they are. own: to cut the text into; None: characters, or bytes."""
    digest, size = hashlib.sha256(), 0

    def parts() -> Iterator[Any]:
        nonlocal size
        for part in _parts(files, **how):
            digest.update(part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part)
            size += len(part)
            yield part

    if own is None and not how["as_bytes"]:
        vocabulary: Vocabulary = _make_characters(parts(), file)
    else:
        vocabulary = own or Vocabulary.bytes()
        for ids in own.encode_parts(parts()) if own else map(vocabulary.encode, parts()):
            file.write(ids.tobytes())
    if not size:
        raise EmptyTextError(f"{files[0] if len(files) == 1 else files[0].parent} is empty; expected a text")
    return {"vocabulary": vocabulary.to_dict(), "size": size, "digest": digest.hexdigest()}


def _make_characters(texts: Iterator[Any], file: BinaryIO) -> Vocabulary:
    """Ids in order of appearance, as uint16 in an unnamed file while they are counted; then by frequency."""
    known, seen, counts = np.full(0x110000, -1, dtype=np.int32), [], np.zeros(_MOST_SYMBOLS, dtype=np.int64)
    with tempfile.TemporaryFile(dir=cache()) as beside:
        for text in texts:
            data = text.encode("utf-32-le", "surrogatepass")
            points = np.frombuffer(data, dtype="<u4")
            for point in np.unique(points[known[points] < 0]).tolist():
                known[point] = len(seen)
                seen.append(point)
            if len(seen) >= _MOST_SYMBOLS:
                raise CorpusError(
                    f"more than {_MOST_SYMBOLS - 1:,} distinct characters; train on bytes, with `tokens` bytes",
                    setting="tokens",
                )
            found = known[points].astype(np.uint16)
            counts += np.bincount(found, minlength=_MOST_SYMBOLS)
            beside.write(found.tobytes())
        points = np.array(seen, dtype=np.int64)
        order = np.lexsort((points, -counts[: len(points)]))  # by falling frequency, ties in character order
        vocabulary = Characters((UNKNOWN, *map(chr, points[order])))
        table = np.zeros(len(points), dtype=vocabulary.dtype)
        table[order] = np.arange(1, len(points) + 1)
        beside.seek(0)
        while block := beside.read(2 * _BLOCK):
            file.write(table[np.frombuffer(block, dtype=np.uint16)].tobytes())
    return vocabulary
