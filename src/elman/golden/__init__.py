"""The golden results: what every installation must compute, to the bit. `elman self-test` and the tests compare them.

floats, integers and coder each have their results beside them, in a file of that name with the suffix .json, which
nothing but tests/golden/make.py writes.
"""

from __future__ import annotations

from .compare import Checked, check, expected, processor

__all__ = ["Checked", "check", "expected", "processor"]
