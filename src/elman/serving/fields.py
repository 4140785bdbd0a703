"""Fields: values out of a request's JSON, each with its type and range. Null is the same as absent."""

from __future__ import annotations

import json
import math
from typing import Any

from .refusal import Refused

_MISSING = object()


def parsed(body: bytes) -> Any:
    """The JSON of a body. NaN and Infinity, which are no JSON, are refused, as is what is nested too deeply."""

    def constant(name: str) -> Any:
        raise Refused(f"the body is not JSON: {name} is no number of JSON")

    try:
        return json.loads(body, parse_constant=constant)
    except UnicodeDecodeError:
        raise Refused("the body is not JSON: it is not UTF-8") from None
    except RecursionError:
        raise Refused("the body is nested too deeply") from None
    except ValueError as error:
        raise Refused(f"the body is not JSON: {str(error)[:200]}") from None


class Fields:
    """The fields of an object, of which it notes those that were asked for."""

    def __init__(self, body: Any) -> None:
        if not isinstance(body, dict):
            raise Refused(f"the body is {shown(body)}; expected a JSON object")
        self._body, self._unknown = body, dict.fromkeys(body)

    def get(self, *names: str, default: Any = None) -> Any:
        """The value under the first of these names, which mean the same, that is there."""
        found = {}
        for name in names:
            if name in self._body:
                self._unknown.pop(name, None)
                if self._body[name] is not None:
                    found[name] = self._body[name]
        if not found:
            return default
        if len(found) > 1 and len({json.dumps(value) for value in found.values()}) > 1:
            raise Refused(f"{' and '.join(found)} mean the same and differ; give one of them", param=next(iter(found)))
        return next(iter(found.values()))

    def whole(self, *names: str, least: int, most: int, default: Any = None) -> Any:
        value = self.get(*names, default=_MISSING)
        if value is _MISSING:
            return default
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise Refused(f"{names[0]} is {shown(value)}; expected a whole number in {least}..{most}", param=names[0])
        return value

    def number(self, *names: str, default: Any = None) -> Any:
        value = self.get(*names, default=_MISSING)
        if value is _MISSING:
            return default
        return real(value, names[0])

    def flag(self, *names: str, default: bool = False) -> bool:
        value = self.get(*names, default=default)
        if not isinstance(value, bool):
            raise Refused(f"{names[0]} is {shown(value)}; expected true or false", param=names[0])
        return value

    def text(self, *names: str, default: Any = None) -> Any:
        value = self.get(*names, default=default)
        if value is not default and not isinstance(value, str):
            raise Refused(f"{names[0]} is {shown(value)}; expected a string", param=names[0])
        return value

    def object(self, *names: str) -> dict[str, Any]:
        value = self.get(*names, default={})
        if not isinstance(value, dict):
            raise Refused(f"{names[0]} is {shown(value)}; expected an object", param=names[0])
        return value

    @property
    def unknown(self) -> list[str]:
        """Fields that nobody asked for."""
        return list(self._unknown)


def real(value: Any, name: str) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(f"{name} is {shown(value)}; expected a number", param=name)
    try:
        value = float(value)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise Refused(f"{name} is too large; expected a finite number", param=name)
    return value


def is_ids(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(id, int) and not isinstance(id, bool) for id in value)


def shown(value: Any) -> str:
    """A value as a message shows it: short."""
    if isinstance(value, str | int | float | bool) or value is None:
        try:
            text = json.dumps(value)
        except ValueError:  # more digits than Python turns into text
            return "a number of very many digits"
        return text if len(text) <= 40 else f"{text[:40]}..."
    return {list: "a list", dict: "an object"}.get(type(value), "something else")
