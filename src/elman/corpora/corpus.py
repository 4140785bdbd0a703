"""Corpus: a text to train on, and how it was had."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import given
from ..errors import CorpusError
from ..text import Reading, Vocabulary
from .named import is_named
from .tokens import long_tokens


@dataclass(frozen=True)
class Corpus:
    """A text to train on. Nothing changes it, so threads may share it."""

    name: str
    text: str | bytes
    normalisation: str
    """Normalisation of the text: "book" or "none"."""
    source: str | tuple[str, ...]
    """A path, an address, "bundled" or "standard input"; several, if the text was put together."""
    records: bool = False
    """The text is independent lines, each with its line end; see `records`."""
    loaded: dict[str, Any] | None = dataclasses.field(default=None, compare=False, repr=False)
    """Arguments of `load_corpus`, with which it can be loaded again; None: it came from elsewhere."""
    own: Vocabulary | None = None
    """Its vocabulary; None: the characters that it has, or bytes."""

    def __post_init__(self) -> None:
        given.instance("text", self.text, (str, bytes), "a str or bytes")
        given.instance("name", self.name, str, "a str")
        given.instance("records", self.records, bool, "True or False")

    def vocabulary(self) -> Vocabulary:
        """Its vocabulary."""
        if self.own is not None:
            return self.own
        return Vocabulary.from_text(self.text) if isinstance(self.text, str) else Vocabulary.bytes()

    def reading(self) -> Reading:
        """How a model of this text reads."""
        return Reading(self.vocabulary(), self.normalisation, self.records, self.field)

    @property
    def field(self) -> str | None:
        """The field of rows that the records were read from, or None."""
        return self.loaded.get("field") if self.loaded else None

    @property
    def is_the_books(self) -> bool:
        """It is one of the named corpora, for which the book's settings are meant."""
        places = self.loaded["name_or_path"] if self.loaded else ""
        return all(map(is_named, [places] if isinstance(places, str) else places))

    def digest(self) -> str:
        """SHA-256 of the text as UTF-8, or of the bytes."""
        data = self.text if isinstance(self.text, bytes) else self.text.encode("utf-8", "surrogatepass")
        return hashlib.sha256(data).hexdigest()

    def __len__(self) -> int:
        return len(self.text)

    def __repr__(self) -> str:
        unit = "bytes" if self.is_bytes else "characters"
        kind = ", records" if self.records else ""
        return f"Corpus({self.name!r}, {len(self):,} {unit}, normalisation {self.normalisation!r}{kind})"

    @property
    def is_bytes(self) -> bool:
        return isinstance(self.text, bytes)

    @property
    def num_records(self) -> int:
        """Lines of a text of records."""
        return self.text.count("\n") if isinstance(self.text, str) else self.text.count(b"\n")

    def first(self, max_chars: int | None) -> Corpus:
        """Its first characters, of records whole ones only, as `load_corpus` keeps them; None: all.

        Raises:
            CorpusError: no record is so short.
        """
        if max_chars is None:
            return self
        text: Any = self.text[: given.whole("max_chars", max_chars, 0)]
        if self.records and len(text) < len(self.text):
            text = text[: text.rfind(b"\n" if self.is_bytes else "\n") + 1]
            if max_chars and not text:
                raise CorpusError(f"max_chars {max_chars} is less than the first record of {self.name} has; raise it")
        return dataclasses.replace(self, text=text)

    def beginning(self, size: int) -> Corpus:
        """About so many of its characters, to try something out; of records, whole ones, at least one."""
        text = self.text[:size]
        if self.records:
            end = "\n" if isinstance(text, str) else b"\n"
            text = text[: text.rfind(end) + 1] or self.text  # type: ignore[arg-type]
        return dataclasses.replace(self, text=text)

    def cut_into(self, tokens: str) -> Corpus:
        """The text with other tokens, as `load_corpus` takes them, of a text of characters.

        Raises:
            InputError: as `load_corpus` for such tokens.
        """
        return dataclasses.replace(self, own=long_tokens(tokens, [self.text]))

    def ids(self, vocabulary: Vocabulary) -> np.ndarray:
        """(N,) of the smallest unsigned type; 0 for what the vocabulary lacks."""
        given.instance("vocabulary", vocabulary, Vocabulary, "a Vocabulary")
        return vocabulary.encode(self.text)

    def unknown(self, vocabulary: Vocabulary, ids: np.ndarray) -> int:
        """Number of its ids that represent a character the vocabulary lacks."""
        return vocabulary.unknown(ids)
