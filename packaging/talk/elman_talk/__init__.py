"""Ready models of everyday talk, for `elman.Typist`.

typist = elman_talk.typist("en", learned="writer.elman")
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import elman
from elman.errors import InputError, ModelFileError
from elman.typing import Primed, Typist

_FOLDER = Path(__file__).parent
_MODELS: dict[str, dict[str, dict[str, Any]]] = json.loads((_FOLDER / "models.json").read_text("utf-8"))
_OTHER = "\ufffd"


def languages() -> list[str]:
    """The languages of the models, as codes of two letters."""
    return sorted(_MODELS)


def file(language: str, part: str) -> Path:
    """The file of a language: its "model", or the "ngrams" of its training text.

    Raises:
        InputError: no such language or part.
        ModelFileError: the file is not the one that was published.
    """
    known = _MODELS.get(language, {}).get(part)
    if known is None:
        raise InputError(f"no {part} of {language!r}; there are model and ngrams of {', '.join(languages())}")
    path = _FOLDER / known["file"]
    if hashlib.sha256(path.read_bytes()).hexdigest() != known["sha256"]:
        raise ModelFileError(f"{path}: not the file that was published; install elman-talk again")
    return path


def typist(language: str, alphabet: str | None = None, **settings: Any) -> Typist:
    """A typist for a language.

    Args:
        alphabet: the symbols to choose from; None: those of the training text, up to 254.
        settings: others of `elman.Typist`.
    """
    primed = Primed.load(file(language, "ngrams"))
    symbols = "".join(symbol for symbol in primed.symbols if symbol != _OTHER) if alphabet is None else alphabet
    return Typist(elman.load(file(language, "model")), symbols, **{"primed": primed} | settings)
