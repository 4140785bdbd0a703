"""Write golden results that must never move: `python tests/golden/make.py floats|integers|coder`; nothing else does.

A digest of floats that changes means that models trained before cannot be trained again to the same bits; a digest of
integers or of the coder, that what they compressed reads differently. Either is a new version of that arithmetic, to be
said in the change log, while the old one stays readable. It is not a test to be brought up to date in passing.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections import defaultdict

from elman.golden.compare import HERE


def main(kernel: str) -> None:
    """Computed with whatever instruction set and threads serve now."""
    parts: dict[str, dict[str, str]] = defaultdict(dict)
    for name, value in importlib.import_module(f"elman.golden.{kernel}").results():
        part, _, rest = name.partition("/")
        parts[part][rest] = value
    (HERE / f"{kernel}.json").write_text(json.dumps(parts, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
