"""The threshold that `elman calibrate` keeps in a model's file, read by `elman score --above auto`."""

from __future__ import annotations

import math
from pathlib import Path

from ...errors import InputError

KEY = "calibration"
"""Its key in the header of a model's file."""


def threshold(text: str, model: Path) -> float:
    """The bits that --above says: a number, or auto.

    Raises:
        InputError: neither, or auto for a model that was not calibrated.
    """
    if text != "auto":
        try:
            return float(text)
        except ValueError:
            raise InputError(f"--above: expected bits or auto, got {text!r}") from None
    from ...model import model_path, read_header

    found = read_header(model_path(model)).get(KEY)
    bits = found.get("burst") if isinstance(found, dict) else None
    if not isinstance(bits, float) or not math.isfinite(bits):
        raise InputError(f"{model} is not calibrated; run `elman calibrate {model} FILE` with ordinary lines")
    return bits
