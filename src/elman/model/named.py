"""Models that come with the package: a name in place of a file, as in `elman generate english`.

A file here is never changed or removed once it has been published: archives name the model that they need.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent.parent / "models"


def named_models() -> dict[str, Path]:
    """Their names and files."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.safetensors"))}
