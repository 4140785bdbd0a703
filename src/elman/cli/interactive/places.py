"""Places: the file that keeps how far logs were read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...files import write_atomically
from .tail import Tail


class Places:
    """The file that keeps how far files were read, written beside and renamed."""

    def __init__(self, path: str | Path) -> None:
        """Raises InputError if there is a file that is no such one."""
        self._path, self._known = Path(path), dict[str, Any]()
        try:
            data = json.loads(self._path.read_bytes())
            self._known = {name: _checked(place) for name, place in data["places"].items()}
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise InputError(f"{path}: not a file of places that `elman score --follow` wrote; remove it") from None

    def get(self, name: str) -> dict[str, Any] | None:
        """Position at which reading of this file stopped."""
        return self._known.get(os.path.abspath(name))

    def keep(self, tail: Tail) -> None:
        """Write the place of `tail`, if it has moved."""
        name, place = os.path.abspath(tail.name), tail.place()
        if place is not None and self._known.get(name) != place:
            self._known[name] = place
            write_atomically(self._path, json.dumps({"places": self._known}, indent=1).encode() + b"\n", mask=0o600)


def _checked(place: dict[str, Any]) -> dict[str, Any]:
    numbers = [place[key] for key in ("device", "inode", "offset", "line")]
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise ValueError("a place has whole numbers")
    place.setdefault("last", "")  # which earlier versions did not keep
    for key in ("head", "last"):
        bytes.fromhex(place[key])
    return place
