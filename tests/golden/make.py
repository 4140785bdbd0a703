"""Write kernels.json: digests that must never move. `python tests/golden/make.py`, and nothing else, does.

A digest that changes means that models trained before cannot be trained again to the same bits: that is a new major
version of the arithmetic, to be said in the changelog, and not a test to be brought up to date in passing.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
FILE = HERE / "kernels.json"


def golden() -> dict[str, dict[str, str]]:
    """Computed with whatever instruction set and threads serve now."""
    sys.path[:0] = [str(HERE.parent / "kernels"), str(HERE.parent)]
    import cases  # pyright: ignore[reportMissingImports]

    models = {name: cases.train(name) for name in cases.RECIPES}
    return {
        "operations": {name: cases.digest(operation()) for name, operation in cases.OPERATIONS.items()},
        "trainings": {name: model.digest() for name, model in models.items()},
        "texts": {name: cases.text(model) for name, model in models.items()},
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(golden(), indent=1) + "\n")
    print(f"wrote {FILE}")
