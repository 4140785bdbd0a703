"""What the commands share: where they print, the options that several have, and the model that they load."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from ..model import LanguageModel

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Json = Annotated[bool, typer.Option("--json", help="Write JSON, for a program to read.")]
ModelPath = Annotated[Path, typer.Argument(metavar="MODEL", help="A .safetensors file, or a run's folder.")]
Bytes = Annotated[bool, typer.Option("--bytes", help="Take any file as bytes: 256 ids, nothing unknown.")]
EncodingErrors = Annotated[str, typer.Option(help="What to do with what is not UTF-8: strict or replace.")]


def model_path(path: Path) -> Path:
    return path / "model.safetensors" if path.is_dir() else path


def load_model(path: Path) -> LanguageModel:
    from ..modelfile import load

    return load(model_path(path))
