"""Served: a model under its name in the API, and the texts of its symbols."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..model import LanguageModel, Model, without_ngrams
from .refusal import Refused


class Served:
    """A model that is served.

    Args:
        id: its name in the API.
    """

    def __init__(self, id: str, model: Model) -> None:
        self.id, self.model, self.created = id, model, int(time.time())
        kind = "float" if isinstance(without_ngrams(model), LanguageModel) else "int"
        self.fingerprint = f"elman-{kind}1-{model.fingerprint()[:24]}"
        """The arithmetic contract and the model: equal fingerprints, equal answers to equal requests."""

    @property
    def records(self) -> bool:
        return self.model.reading.records

    @cached_property
    def names(self) -> list[str]:
        """The text of each id: no two are equal. Bytes that are no text as `bytes:\\xc3`."""
        vocabulary = self.model.reading.vocabulary
        if not vocabulary.reads_bytes:
            return [vocabulary.name(id) for id in range(len(vocabulary))]
        return [_byte_name(vocabulary.decode_bytes(np.array([id]))) for id in range(len(vocabulary))]

    @cached_property
    def ids(self) -> dict[str, int]:
        """The inverse of `names`."""
        return {name: id for id, name in enumerate(self.names)}

    def data(self, id: int) -> bytes | None:
        """The bytes of an id; None for <unk>."""
        vocabulary = self.model.reading.vocabulary
        if vocabulary.reads_bytes:
            return vocabulary.decode_bytes(np.array([id]))
        return None if id in vocabulary.never_written else vocabulary.name(id).encode("utf-8", "surrogatepass")

    def offsets(self, ids: np.ndarray) -> list[int]:
        """The character of the text in which each of the ids begins."""
        vocabulary = self.model.reading.vocabulary
        if not vocabulary.reads_bytes:
            return list(range(len(ids)))
        data = np.frombuffer(vocabulary.decode_bytes(ids), dtype=np.uint8)
        heads = np.cumsum((data & 0xC0) != 0x80)
        widths = vocabulary.widths(ids)
        begins = np.arange(len(ids)) if widths is None else np.cumsum(widths) - widths
        return np.maximum(heads[begins] - 1, 0).tolist() if len(ids) else []

    def about(self) -> dict[str, Any]:
        return {"id": self.id, "object": "model", "created": self.created, "owned_by": "elman"}


def _byte_name(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in data)


class Models:
    """The models that a server has, the first of which serves requests that name none.

    Args:
        given: a model, or the place of one, under each name.
    Raises:
        InputError: no model, or a file that is none.
    """

    def __init__(self, given: Mapping[str, Model | str | Path]) -> None:
        if not given:
            raise InputError("no model to serve; give at least one")
        self._places = {id: place for id, place in given.items() if isinstance(place, str | Path)}
        self._served = {id: Served(id, _load(model)) for id, model in given.items()}

    def __iter__(self) -> Any:
        return iter(self._served.values())

    def find(self, name: str | None) -> Served:
        """Raises Refused for a name that no model has."""
        served = self._served
        if name is None or name == "":
            return next(iter(served.values()))
        if name not in served:
            raise Refused(f"there is no model {name[:100]!r}; this server has {', '.join(served)}", 404, "model")
        return served[name]

    def reload(self) -> None:
        """Load every model that came from a file anew; all or, where one fails, none. Requests go on with the old."""
        fresh = {id: Served(id, _load(place)) for id, place in self._places.items()}
        self._served = {id: fresh.get(id, served) for id, served in self._served.items()}


def _load(model: Any) -> Model:
    if isinstance(model, str | Path):
        from ..model import load

        path = Path(model)
        if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe may hold up for ever
            raise InputError(f"{model} is neither a file nor a folder; a server reads its models again at times")
        return load(model)
    return model
