"""What a user can cause, in one tree; anything else that is raised is a fault of the package.

    ElmanError
    ├── InputError        (also a ValueError)    a setting, a shape, a text or a model that does not fit
    │   ├── CorpusError                          a text that cannot be had
    │   │   └── EmptyTextError                   a file or an input without a character
    │   ├── ModelFileError                       no whole model that this version can read
    │   └── CompressedError                      no whole archive, store or message of this model
    └── TrainingDiverged  (also a RuntimeError)  the loss or the gradient is no longer finite

The command turns each into one line and exit status 2.
"""

from __future__ import annotations

import operator
from typing import Any


class ElmanError(Exception):
    """The root of the tree."""


class InputError(ElmanError, ValueError):
    """What was given does not fit; one line says what was expected, what came, where, and what to do."""


class CorpusError(InputError):
    """The text could not be had."""


class EmptyTextError(CorpusError):
    """The file, or what it was read from, is empty."""


class ModelFileError(InputError):
    """The file is not a whole model that this version can read."""


class CompressedError(InputError):
    """The archive, store or message is not whole, or is of another model or version."""


class TrainingDiverged(ElmanError, RuntimeError):
    """The loss or the gradient is no longer finite. The parameters are those before the step that failed."""


def whole_number(name: str, value: Any, least: int = 0) -> int:
    """`value`, if it is a whole number of at least `least`; raises InputError otherwise."""
    try:
        number = operator.index(value)
    except TypeError:
        raise InputError(f"{name} must be a whole number, got {value!r}") from None
    if number < least:
        raise InputError(f"{name} must be at least {least}, got {value}")
    return number
