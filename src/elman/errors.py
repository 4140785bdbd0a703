"""Errors that a user can cause, in one tree; anything else that is raised is a fault of the package.

    ElmanError
    ├── InputError        (also a ValueError)    a setting, a shape, a text or a model that does not fit
    │   ├── CorpusError                          a text that cannot be read or downloaded
    │   │   └── EmptyTextError                   a file or an input without a character
    │   ├── ModelFileError                       not a whole model that this version can read
    │   └── CompressedError                      not a whole archive, store or message of this model
    ├── TrainingDiverged  (also a RuntimeError)  the loss or the gradient is no longer finite
    └── WorkerLost        (also a RuntimeError)  a process of a run did not come, or is gone

The command turns each into one line and exit status 2. A message names settings as Python does; the command words them
as its options.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from typing import Any


class ElmanError(Exception):
    """The root of the tree.

    Args:
        text: the message, one line.
        setting: the arguments that it names, as `encoding` or ("bytes", "encoding"). In the text each begins the line
            or is in backquotes.
    """

    options: tuple[str, ...] = ()
    """Settings that the command which failed has as options, and the text may name without saying so."""

    def __init__(self, text: str = "", *, setting: str | Iterable[str] = ()) -> None:
        super().__init__(text)
        self.settings = (setting,) if isinstance(setting, str) else tuple(setting)

    def worded(self, option: Callable[[str], str]) -> str:
        """The message with each setting that it names as `option` words it, without backquotes."""
        text = worded(str(self), self.settings, option)
        for name in self.options:  # one word may be prose, unless it is the subject; a path has no spaces about it
            alone = rf"(?<![^\s(]){name}(?![^\s,;)])" if "_" in name else rf"^{name}(?= (must|is) )"
            text = re.sub(alone, option(name), text)
        return text


def worded(text: str, settings: Iterable[str], option: Callable[[str], str]) -> str:
    """`text` with each of the settings as `option` words it, where it begins a line or is in backquotes."""
    for name in settings:
        text = re.sub(rf"`{re.escape(name)}`|^{re.escape(name)}\b", lambda _, name=name: option(name), text)
    return text


class InputError(ElmanError, ValueError):
    """A value does not fit; one line says what was expected, what came, where, and what to do."""


class CorpusError(InputError):
    """The text cannot be read or downloaded."""


class EmptyTextError(CorpusError):
    """The text has no character."""


class ModelFileError(InputError):
    """The file is not a whole model that this version can read."""


class CompressedError(InputError):
    """The archive, store or message is not whole, or is of another model or version."""


class TrainingDiverged(ElmanError, RuntimeError):
    """The loss or the gradient is no longer finite. The parameters are those before the step that failed."""


class WorkerLost(ElmanError, RuntimeError):
    """A process of a run that several train is gone, or did not come."""


def whole_number(name: str, value: Any, least: int = 0) -> int:
    """`value`, if it is a whole number of at least `least`; raises InputError otherwise."""
    try:
        number = operator.index(value)
    except TypeError:
        raise InputError(f"{name} must be a whole number, got {value!r}") from None
    if number < least:
        raise InputError(f"{name} must be at least {least}, got {value}")
    return number
