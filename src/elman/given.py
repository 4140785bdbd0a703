"""Checks of the arguments of public functions, at the door, not where they fail far inside.

The line of each InputError says what was expected and what came.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from .errors import InputError
from .typed import shown as shown_field


def instance(name: str, value: Any, kinds: type | tuple[type, ...], expected: str) -> Any:
    """`value`, if it is one of these kinds; raises InputError otherwise."""
    if not isinstance(value, kinds):
        raise InputError(f"{name} is {shown(value)}; expected {expected}")
    return value


def whole(name: str, value: Any, at_least: int, below: int = 2**63) -> int:
    """A whole number in at_least .. below-1, NumPy's too; raises InputError for anything else."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer) or not at_least <= value < below:
        most = "" if below == 2**63 else f" and below {below:,}"
        raise InputError(f"{name} is {shown(value)}; expected a whole number of at least {at_least}{most}")
    return int(value)


def amount(name: str, value: Any) -> float:
    """A number above 0 and below a million; raises InputError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < 1e6:
        raise InputError(f"{name} must be above 0 and below 1,000,000, got {shown(value)}", setting=name)
    return float(value)


def share(name: str, value: Any) -> float:
    """A number in [0, 1); raises InputError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value < 1:
        raise InputError(f"{name} must be in [0, 1), got {shown(value)}")
    return float(value)


def path(name: str, value: Any) -> Any:
    """A path, as a str or a Path, that a system can have; raises InputError for anything else."""
    instance(name, value, (str, os.PathLike), "a path")
    try:
        named = os.fsencode(value)
    except UnicodeEncodeError:
        named = b""
    if not named or b"\0" in named:
        raise InputError(f"{name} is {shown(os.fspath(value))}; expected a path")
    return value


def call(name: str, value: Any) -> Any:
    """Something to call, or None; raises InputError for anything else."""
    if value is not None and not callable(value):
        raise InputError(f"{name} is {shown(value)}; expected a function or None")
    return value


def array(name: str, value: Any, kinds: str, expected: str) -> np.ndarray:
    """An array of these kinds of numbers, by NumPy's letters: f real, i and u whole; raises InputError for others."""
    try:
        found = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:  # ragged lists, tensors that require a gradient
        raise InputError(f"{name} is no array ({' '.join(str(error).split())}); expected {expected}") from None
    if found.dtype.kind not in kinds:
        raise InputError(f"{name} is {found.dtype} {found.shape}; expected {expected}")
    return found


def shown(value: Any) -> str:
    """A value as a message shows it: short, and in one line."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} {value.shape}"
    if value is None or isinstance(value, str | bytes | int | float):
        return shown_field(value).encode("ascii", "backslashreplace").decode()
    return f"a {type(value).__module__}.{type(value).__qualname__}".replace("builtins.", "")
