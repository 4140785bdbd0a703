"""Reading: the one door from text to a model's ids and back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .. import given
from ..errors import InputError
from .normalisation import NORMALISATIONS, normalise
from .records import line_end, record_lines
from .vocabulary import Vocabulary


@dataclass(frozen=True)
class Reading:
    """How a model reads text: what is done to it first, and which ids its characters have. Threads may share it.

    Raises:
        InputError: a value of another type, or an unknown normalisation.
    """

    vocabulary: Vocabulary
    normalisation: str = "none"
    """Normalisation of a text before it is encoded: "book" or "none"; see `normalise`."""
    records: bool = False
    """A text is records, one a line: the state is reset at each, which then is primed as every text is."""
    field: str | None = None
    """The field of JSON lines, or column of CSV, that held the records that the model was trained on."""

    def __post_init__(self) -> None:
        given.instance("vocabulary", self.vocabulary, Vocabulary, "a Vocabulary")
        given.instance("records", self.records, (bool, np.bool_), "True or False")
        given.instance("normalisation", self.normalisation, str, "a str")
        if self.normalisation not in NORMALISATIONS:
            raise InputError(f"normalisation must be one of {', '.join(NORMALISATIONS)}; got {self.normalisation!r}")

    def __len__(self) -> int:
        """Size of the vocabulary, V."""
        return len(self.vocabulary)

    @property
    def is_bytes(self) -> bool:
        """Files are read as bytes, whatever they hold, and not as text."""
        return self.vocabulary.kind == "bytes"

    @cached_property
    def line_end(self) -> int:
        """The id that ends a record. Raises InputError if the vocabulary lacks it."""
        return line_end(self.vocabulary)

    @cached_property
    def start(self) -> int:
        """The id that a model reads before any text: the line end, or <unk> in a vocabulary that lacks it."""
        return int(self.vocabulary.encode("\n")[0])

    def primed(self, ids: np.ndarray) -> np.ndarray:
        """(T + 1, ...): `ids` (T, ...) after `start`. A model reads every text like this, and every record."""
        return np.concatenate((np.full((1, *ids.shape[1:]), self.start, dtype=ids.dtype), ids))

    def prepare(self, text: str | bytes, records: bool | None = None) -> str | bytes:
        """`text` as the model reads it; bytes if its tokens are of bytes.

        Args:
            records: as lines of records, each with its line end; None: if the model is one of records.
        """
        self.check(text)
        if self.records if records is None else records:
            text = record_lines(text, self.normalisation)
        elif isinstance(text, str):
            text = normalise(text, self.normalisation)
        return text.encode("utf-8", "surrogatepass") if self.vocabulary.reads_bytes and isinstance(text, str) else text

    def prompt(self, text: str | bytes) -> np.ndarray:
        """int64 (T,): ids of a text to continue, without the `start` that is read before it."""
        self.check(text)
        if isinstance(text, str):
            text = normalise(text, self.normalisation)
        return self.vocabulary.encode(text).astype(np.int64)

    def check(self, text: object) -> None:
        """Raises InputError unless `text` is one that the model can read."""
        if isinstance(text, str) or (isinstance(text, bytes) and self.vocabulary.reads_bytes):
            return
        expected = "str or bytes" if self.vocabulary.reads_bytes else "str"
        raise InputError(f"a text must be {expected} for this model, got {type(text).__name__}")

    def unknown_characters(self, text: str) -> str:
        """The distinct characters of `text`, after normalisation, that the vocabulary lacks, in order."""
        given.instance("text", text, str, "a str")
        if self.vocabulary.reads_bytes:
            return ""
        known = set(self.vocabulary.symbols)
        return "".join(dict.fromkeys(c for c in normalise(text, self.normalisation) if c not in known))

    def to_dict(self) -> dict[str, Any]:
        """A dict for JSON; the inverse of `from_dict`. Without a field it has no key for one, as the first files."""
        field = {} if self.field is None else {"field": self.field}
        return self.of_texts() | field

    def of_texts(self) -> dict[str, Any]:
        """A dict for JSON that decides the ids of a text; not where in a file of rows texts are."""
        return {
            "vocabulary": self.vocabulary.to_dict(),
            "normalisation": self.normalisation,
            "records": self.records,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Reading:
        """Raises InputError or KeyError if `data` does not hold what `to_dict` gives."""
        given.instance("a reading", data, dict, "an object, as to_dict gives it")
        field = data.get("field")
        if not isinstance(field, str | None):
            raise InputError(f"the field of a model's texts is a string; got {field!r}")
        return cls(Vocabulary.from_dict(data["vocabulary"]), data["normalisation"], data.get("records") is True, field)
