"""Fields of a JSON object that came from a file, each checked for its type where it is read.

A file's digest says that it is whole, not that its fields are what Elman writes: anyone can write a whole file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .errors import InputError

_REQUIRED: Any = object()
_LARGEST = 2**63


class Fields:
    """The fields of an object in a file. Every method raises InputError, one line, where a field is another type.

    Args:
        value: what was read. where: the file, and the object in it; messages begin with it.
    """

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, Mapping):
            raise InputError(f"{where} is {shown(value)}; expected an object")
        self.value: Mapping[str, Any] = value
        self._where = where

    def __contains__(self, name: str) -> bool:
        return self.value.get(name) is not None

    def text(self, name: str, default: Any = _REQUIRED) -> str:
        value = self._get(name, default)
        return self._checked(name, value, "a text", isinstance(value, str) or value is default)

    def flag(self, name: str, default: Any = _REQUIRED) -> bool:
        value = self._get(name, default)
        return self._checked(name, value, "true or false", isinstance(value, bool) or value is default)

    def whole(self, name: str, default: Any = _REQUIRED, at_least: int = 0, most: int = _LARGEST - 1) -> int:
        value = self._get(name, default)
        fits = isinstance(value, int) and not isinstance(value, bool) and at_least <= value <= most
        expected = f"a whole number of at least {at_least}" + (f" and at most {most}" if most < _LARGEST - 1 else "")
        return self._checked(name, value, expected, fits or value is default)

    def number(self, name: str, default: Any = _REQUIRED) -> float:
        """A finite number of at least 0."""
        value = self._get(name, default)
        return self._checked(name, value, "a finite number of at least 0", value is default or _is_number(value))

    def numbers(self, name: str, default: Any = _REQUIRED) -> list[float]:
        value = self._get(name, default)
        fits = value is default or (isinstance(value, list) and all(map(_is_number, value)))
        return self._checked(name, value, "a list of finite numbers of at least 0", fits)

    def texts(self, name: str, default: Any = _REQUIRED) -> str | list[str]:
        """A text, or a list of some."""
        value = self._get(name, default)
        several = isinstance(value, list) and value and all(isinstance(item, str) for item in value)
        return self._checked(name, value, "a text or a list of texts", isinstance(value, str) or several)

    def objects(self, name: str) -> list[Fields]:
        """A list of objects."""
        value = self._get(name, _REQUIRED)
        self._checked(name, value, "a list of objects", isinstance(value, list))
        return [Fields(item, f"{self._where}: {name}, item {i + 1},") for i, item in enumerate(value)]

    def inner(self, name: str, default: Any = _REQUIRED) -> Fields:
        """An object in this one."""
        return Fields(self._get(name, default), f"{self._where}: {name}")

    def _get(self, name: str, default: Any) -> Any:
        """The field; `default` where it is missing or null."""
        value = self.value.get(name)
        if value is not None or (name in self.value and default is _REQUIRED):
            return value
        if default is _REQUIRED:
            raise InputError(f"{self._where} has no field {name}")
        return default

    def _checked(self, name: str, value: Any, expected: str, fits: Any) -> Any:
        if not fits:
            raise InputError(f"{self._where}: {name} is {shown(value)}; expected {expected}")
        return value


def shown(value: Any) -> str:
    """A value as a message shows it: short, whatever it is."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _LARGEST:
        return "a number of many digits"
    text = " ".join(repr(value).split())
    return text if len(text) <= 40 else f"{text[:37]}..."


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return 0 <= value < (math.inf if isinstance(value, float) else _LARGEST)
