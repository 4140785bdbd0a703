"""`elman compress`: files, smaller, with the habits of gzip and zstd. Hidden options are its older spellings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from .shared import file_options as options
from .shared.archives import expand_or_list, make_archive, predictor_of
from .shared.commands import single
from .shared.file_options import advise, check_kept
from .shared.filewise import Filewise
from .shared.samples import train_on_samples
from .shared.stores import make_stores


def _old(*names: str) -> typer.models.OptionInfo:
    return typer.Option(*names, hidden=True)


def compress(
    files: options.Files = None,
    model: options.Model = None,
    output: options.Output = None,
    stdout: options.ToStdout = False,
    level: options.Level = 6,
    threads: options.Threads = 1,
    keep: options.Keep = False,
    remove: options.Remove = False,
    force: options.Force = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    decompress: Annotated[bool, _old("-d", "--decompress")] = False,
    test: Annotated[bool, _old("-t", "--test")] = False,
    list_: Annotated[bool, _old("-l", "--list")] = False,
    json_: Annotated[bool, _old("--json")] = False,
    records: Annotated[bool, _old("--records")] = False,
    field: Annotated[str | None, _old("--field")] = None,
    past: Annotated[Path | None, _old("--past")] = None,
    train: Annotated[bool, _old("--train")] = False,
    max_size: Annotated[str, _old("--max-size")] = "1M",
    minutes: Annotated[float | None, _old("--minutes")] = None,
    epochs: Annotated[float | None, _old("--epochs")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, hidden=True)] = 0,
) -> None:
    """Compress files losslessly.

    Each FILE becomes FILE.elz. What one machine writes every other reads, given the same model.

    Examples: elman compress -m english book.txt; elman decompress -c book.txt.elz
    """
    check_kept(keep, remove)
    if json_ and not list_:
        raise InputError("--json goes with --list")
    names, say = files or ["-"], verbose and not quiet
    if train:
        advise("compress --train", "train-coder", quiet)
        train_on_samples(names, output, field, max_size, minutes, epochs, seed, force, quiet)
        return
    if minutes is not None or epochs is not None:
        raise InputError(f"--{'minutes' if epochs is None else 'epochs'} goes with --train")
    job = Filewise(names, output, stdout, force, remove, tuple(path for path in (model, past) if path is not None))
    if decompress or test or list_:
        if records or field is not None:
            raise InputError("--records makes a store; `elman store get` (once `elman get`) reads one")
        expand_or_list(job, model, test, list_, json_, say, threads)
        return
    if field is not None and not records:
        raise InputError("--field goes with --records")
    if records:
        advise("compress --records", "store make", quiet)
        make_stores(job, model, level, field, past, say)
        return
    predictor = predictor_of(model, quiet)
    job.each(lambda name: make_archive(job, name, predictor, level, threads, say))


command = single(compress, options.LevelCommand)
