"""`elman train-coder`: samples to a small model for messages and stores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .shared import file_options as options
from .shared.samples import train_on_samples


def train_coder(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Model file to write.")],
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="Samples: the lines of files, or the files of folders; -: stdin."),
    ] = None,
    field: options.FieldOf = None,
    max_size: options.MaxSize = "1M",
    minutes: options.Minutes = None,
    epochs: options.Epochs = None,
    seed: options.Seed = 0,
    force: options.Replace = False,
    quiet: options.Quiet = False,
) -> None:
    """Train a small model for messages and stores from samples like those to come.

    It prints what the model gains on held-out samples, beside other compressors.

    Examples: elman train-coder old.log -o log.model; elman store make -m log.model today.log
    """
    train_on_samples(files or ["-"], output, field, max_size, minutes, epochs, seed, force, quiet)
