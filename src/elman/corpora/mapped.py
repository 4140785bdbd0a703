"""A text that need not fit in memory: its ids on disk, made in one pass over it, and mapped.

They lie in the cache under a key of the files (their paths, sizes and times) and of how they are read, so the next
training on them starts at once, and trainings side by side share them. Memory is bounded by the distinct characters,
not by the text. The ids, the vocabulary and the digest are those that `load_corpus` gives of the same files.
"""

from __future__ import annotations

import codecs
import dataclasses
import hashlib
import itertools
import json
import mmap
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CorpusError, InputError
from ..files import write_atomically
from ..text import UNKNOWN, Characters, Subwords, Vocabulary, normalised_parts
from .corpus import Corpus
from .files import MARKS, folder_files, unpacked
from .named import cache
from .tokens import Tokens, first, reads_bytes, subwords

FORMAT = 1
"""Of the files in the cache; others are made again."""
_BLOCK = 1 << 22  # bytes read, or ids written, at a time
_MOST_SYMBOLS = 1 << 16


@dataclass(frozen=True)
class MappedCorpus(Corpus):
    """A Corpus whose `text` is never in memory: `text` is empty, and `ids` has what others encode."""

    mapped: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, dtype=np.uint8))
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

    def beginning(self, size: int) -> Corpus:
        vocabulary, ids = self.vocabulary(), self.mapped[:size]
        text = vocabulary.decode_bytes(ids) if self.is_bytes else vocabulary.decode(ids)
        return Corpus(self.name, text, self.normalisation, self.source, own=vocabulary)

    def unknown(self, vocabulary: Vocabulary, ids: np.ndarray) -> int:
        if set(self.vocabulary().symbols) <= set(vocabulary.symbols):
            return 0  # not counted, which would read them all
        return vocabulary.unknown(ids)

    def ids(self, vocabulary: Vocabulary) -> np.ndarray:
        """By a vocabulary that has all of its own, as one that was extended does, ids are mapped once more."""
        own = self.vocabulary()
        if vocabulary == own:
            return self.mapped
        if vocabulary.kind != own.kind or not own.symbols:
            raise InputError(f"{self.source} is {own.kind}, and the model reads other {vocabulary.kind}")
        table = vocabulary.encode("".join(own.symbols[1:]))
        table = np.concatenate([np.zeros(1, dtype=table.dtype), table])
        key = hashlib.sha256(f"{self.whole} {json.dumps(vocabulary.to_dict())}".encode()).hexdigest()[:32]
        path = _folder() / f"{key}.ids"
        if not path.exists():
            with _unfinished(path) as file:
                for start in range(0, len(self), _BLOCK):
                    file.write(table[self.mapped[start : start + _BLOCK]].tobytes())
        return _map(path, table.dtype)


def load_mapped(
    name_or_path: str | Path,
    max_chars: int | None = None,
    *,
    normalisation: str = "book",
    tokens: Tokens = "chars",
    encoding: str | None = None,
    encoding_errors: str = "strict",
) -> MappedCorpus:
    """A file, a .gz, an .xz or a folder as a MappedCorpus. Arguments as `load_corpus`, of text that is no records.

    Raises:
        CorpusError: missing, unreadable, empty, not in the encoding, or of more than 65,535 distinct characters.
    """
    place = Path(os.path.abspath(name_or_path))
    as_bytes = reads_bytes(tokens)
    how = {
        "max_chars": max_chars, "normalisation": "none" if as_bytes else normalisation, "as_bytes": as_bytes,
        "encoding": encoding, "encoding_errors": encoding_errors,
    }  # fmt: skip
    files = folder_files(place) if place.is_dir() else [place]
    try:
        states = [(str(f), (s := f.stat()).st_size, s.st_mtime_ns) for f in files]
    except OSError as error:
        raise CorpusError(f"{name_or_path}: {error.strerror}") from None
    own = _subwords(tokens, files, states, how)
    of = [] if own is None else [own.to_dict()]
    about = _place(".json", states, how, *of)
    path = about.with_suffix(".ids")
    known = _known(about, path)
    if known is None:
        known = _make(files, path, own, **how)
        write_atomically(about, json.dumps(known).encode())
    vocabulary = Vocabulary.from_dict(known["vocabulary"])
    how.pop("as_bytes")
    loaded = {"name_or_path": str(place), "mapped": True, "records": False, "field": None} | how
    return MappedCorpus(
        place.name, b"" if as_bytes else "", how["normalisation"], str(name_or_path), False, loaded, vocabulary,
        mapped=_map(path, vocabulary.dtype), whole=known["digest"], size=known["size"],
    )  # fmt: skip


def _place(suffix: str, *key: Any) -> Path:
    """In the cache, of what is made from files in this way."""
    return _folder() / (hashlib.sha256(json.dumps([FORMAT, *key]).encode()).hexdigest()[:32] + suffix)


def _subwords(tokens: Tokens, files: list[Path], states: list[Any], how: dict[str, Any]) -> Subwords | None:
    """As `subwords`; those that are trained from the text are kept in the cache."""
    path = _place(".bpe", states, how, tokens) if isinstance(tokens, str) and tokens.startswith("bpe:") else None
    if path is not None:
        try:
            return Subwords.from_dict(json.loads(path.read_bytes()))  # type: ignore[return-value]
        except (OSError, ValueError):
            pass
    own = subwords(tokens, _parts(files, **how))
    if path is not None and own is not None:
        write_atomically(path, json.dumps(own.to_dict()).encode())
    return own


def release(ids: np.ndarray) -> None:
    """Let go of the memory of pages that were read, which the system would else count as this process's."""
    memory = getattr(ids, "_mmap", None)
    if memory is not None and hasattr(mmap, "MADV_DONTNEED"):
        memory.madvise(mmap.MADV_DONTNEED)


def _folder() -> Path:
    folder = cache() / "ids"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _map(path: Path, dtype: np.dtype[Any]) -> np.ndarray:
    return np.memmap(path, dtype=dtype, mode="r")


def _known(about: Path, path: Path) -> dict[str, Any] | None:
    """What is said of ids that were made before; None: make them."""
    try:
        known = json.loads(about.read_bytes())
        size = known["count"] * Vocabulary.from_dict(known["vocabulary"]).dtype.itemsize
        return known if path.stat().st_size == size and known["size"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


class _unfinished:
    """A file to write beside `path`, that takes its place when it is whole and is gone when it is not."""

    def __init__(self, path: Path) -> None:
        self.path, self.beside = path, path.with_name(f".{path.name}.{secrets.token_hex(6)}")

    def __enter__(self) -> Any:
        self.file = open(self.beside, "w+b")  # closed in __exit__
        return self.file

    def __exit__(self, kind: Any, *_: object) -> None:
        try:
            if kind is None:
                self.file.flush()
                os.fsync(self.file.fileno())
            self.file.close()
            if kind is None:
                os.replace(self.beside, self.path)
        finally:
            self.beside.unlink(missing_ok=True)


def _parts(
    files: list[Path],
    max_chars: int | None,
    normalisation: str,
    as_bytes: bool,
    encoding: str | None,
    encoding_errors: str,
) -> Iterator[Any]:
    """What is trained on: bytes, or characters."""
    if as_bytes:
        return first(_joined(files), max_chars)
    return first(normalised_parts(_texts(files, encoding, encoding_errors), normalisation), max_chars)


def _make(files: list[Path], path: Path, own: Subwords | None, **how: Any) -> dict[str, Any]:
    """Write the ids, and say what they are. own: to cut the text into; None: characters, or bytes."""
    digest, size, count = hashlib.sha256(), 0, 0

    def parts() -> Iterator[Any]:
        nonlocal size
        for part in _parts(files, **how):
            digest.update(part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part)
            size += len(part)
            yield part

    with _unfinished(path) as file:
        if own is None and not how["as_bytes"]:
            vocabulary, count = _make_characters(parts(), file)
        else:
            vocabulary = own or Vocabulary.bytes()
            for ids in own.encode_parts(parts()) if own else map(vocabulary.encode, parts()):
                file.write(ids.tobytes())
                count += len(ids)
        if not size:
            raise CorpusError(f"{files[0] if len(files) == 1 else files[0].parent} is empty; expected a text")
    about = {"count": count, "size": size, "digest": digest.hexdigest()}
    return {"vocabulary": vocabulary.to_dict()} | about


def _make_characters(texts: Iterator[Any], file: Any) -> tuple[Vocabulary, int]:
    """In order of appearance as uint16 while they are counted; then in place by their frequency."""
    known, seen, counts = np.full(0x110000, -1, dtype=np.int32), [], np.zeros(_MOST_SYMBOLS, dtype=np.int64)
    for text in texts:
        data = text.encode("utf-32-le", "surrogatepass")
        points = np.frombuffer(data, dtype="<u4")
        for point in np.unique(points[known[points] < 0]).tolist():
            known[point] = len(seen)
            seen.append(point)
        if len(seen) >= _MOST_SYMBOLS:
            raise CorpusError(f"more than {_MOST_SYMBOLS - 1:,} distinct characters; train on bytes, with --bytes")
        found = known[points].astype(np.uint16)
        counts += np.bincount(found, minlength=_MOST_SYMBOLS)
        file.write(found.tobytes())
    points, count = np.array(seen, dtype=np.int64), int(counts.sum())
    order = np.lexsort((points, -counts[: len(points)]))  # by falling frequency, ties in character order
    vocabulary = Characters((UNKNOWN, *map(chr, points[order])))
    table = np.zeros(len(points), dtype=vocabulary.dtype)
    table[order] = np.arange(1, len(points) + 1)
    for start in range(0, count, _BLOCK):  # what is written is never longer than what was read, so it never overtakes
        file.seek(2 * start)
        ids = np.frombuffer(file.read(2 * _BLOCK), dtype=np.uint16)
        file.seek(table.itemsize * start)
        file.write(table[ids].tobytes())
    file.truncate(table.itemsize * count)
    return vocabulary, count


def _joined(files: list[Path]) -> Iterator[bytes]:
    for i, path in enumerate(files):
        if i:
            yield b"\n"
        yield from _blocks(path)


def _texts(files: list[Path], encoding: str | None, errors: str) -> Iterator[str]:
    for i, path in enumerate(files):
        if i:
            yield "\n"
        decoder, offset, begun = None, 0, False
        for block in itertools.chain(_blocks(path), [b""]):
            if decoder is None:
                marked = next((name for mark, name in MARKS if block.startswith(mark)), None)
                name = encoding or marked or "utf-8"
                decoder = codecs.getincrementaldecoder(name)(errors)
            pending = len(decoder.getstate()[0])
            try:
                text = decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                at = offset - pending + error.start
                raise CorpusError(
                    f"{path}: not {name}: offset {at} ({error.reason}); give its "
                    "--encoding, use --encoding-errors replace to read it as U+FFFD, "
                    "or --bytes to train on any file as bytes"
                ) from None
            offset += len(block)
            if text:
                yield text if begun else text.removeprefix("\ufeff")
                begun = True


def _blocks(path: Path) -> Iterator[bytes]:
    """A file's bytes, unpacked if it is a .gz or .xz."""
    try:
        with open(path, "rb") as raw, unpacked(raw, str(path), raw.peek(6)) as packed:
            file = raw if packed is None else packed
            while block := file.read(_BLOCK):
                yield block
    except OSError as error:
        raise CorpusError(f"{path}: {error.strerror or error}") from None
