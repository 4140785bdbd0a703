"""Modules of elman, some of which need the packages of an extra."""

from __future__ import annotations

import importlib
from types import ModuleType

from elman.errors import InputError


def imported(name: str) -> ModuleType | None:
    """The module; None where a package that it needs is not installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "elman":
            raise
    except InputError as error:
        if "pip install 'elman[" not in str(error):
            raise
    return None
