"""`elman decompress`: what `elman compress` made, as it was."""

from __future__ import annotations

from typing import Annotated

import typer

from ..errors import InputError
from .shared import file_options as options
from .shared.archives import expand_or_list
from .shared.file_options import check_kept
from .shared.filewise import Filewise


def decompress(
    files: options.Files = None,
    model: options.Model = None,
    output: options.Output = None,
    stdout: options.ToStdout = False,
    test: Annotated[bool, typer.Option("-t", "--test", help="Decode, and write nothing.")] = False,
    list_: Annotated[bool, typer.Option("-l", "--list", help="List sizes and the model's id.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON, with -l.")] = False,
    threads: options.Threads = 1,
    keep: options.Keep = False,
    remove: options.Remove = False,
    force: options.Force = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    decompress_: Annotated[bool, typer.Option("-d", "--decompress", hidden=True)] = False,
) -> None:
    """Decompress what `elman compress` made.

    FILE.elz becomes FILE. A damaged archive, or one of another model, writes no file.

    Example: elman decompress book.txt.elz
    """
    check_kept(keep, remove)
    if json_ and not list_:
        raise InputError("--json goes with --list")
    job = Filewise(files or ["-"], output, stdout, force, remove, () if model is None else (model,))
    expand_or_list(job, model, test, list_, json_, verbose and not quiet, threads)
