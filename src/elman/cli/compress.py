"""`elman compress` and `decompress`: files and lines, smaller, with the habits of gzip and zstd."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InputError
from .shared.archives import Model, expand, list_archives, make_archive, make_store, predictor_of
from .shared.filewise import Filewise
from .shared.samples import train_on_samples

if TYPE_CHECKING:
    pass

Files = Annotated[list[str] | None, typer.Argument(metavar="[FILE]...", help="Files; - or none: standard input.")]
Decompress = Annotated[bool, typer.Option("-d", "--decompress", help="Decompress.")]
ToStdout = Annotated[bool, typer.Option("-c", "--stdout", help="Write to standard output.")]
Keep = Annotated[bool, typer.Option("-k", "--keep", help="Keep the files that were read; the default.")]
Force = Annotated[bool, typer.Option("-f", "--force", help="Write over files, and to a terminal.")]
Test = Annotated[bool, typer.Option("-t", "--test", help="Decode, and write nothing.")]
List = Annotated[bool, typer.Option("-l", "--list", help="Sizes, and the model's first digits.")]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="The file to write.")]
ListJson = Annotated[bool, typer.Option("--json", help="With -l: a line of JSON for each file.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing that is no error.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Say what became of each file.")]
Threads = Annotated[int, typer.Option("-T", "--threads", min=0, help="Blocks at once; 0: one a core.")]
Remove = Annotated[bool, typer.Option("--rm", help="Remove what was read, once the other file is whole.")]


def compress(
    files: Files = None,
    model: Model = None,
    decompress_: Decompress = False,
    stdout: ToStdout = False,
    keep: Keep = False,
    force: Force = False,
    test: Test = False,
    list_: List = False,
    output: Output = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    threads: Threads = 1,
    remove: Remove = False,
    json_: ListJson = False,
    level: Annotated[
        int, typer.Option("--level", min=1, max=9, help="1 is fastest, 9 smallest; also -1 to -9, --fast.")
    ] = 6,
    one: Annotated[bool, typer.Option("-1", "--fast", hidden=True)] = False,
    two: Annotated[bool, typer.Option("-2", hidden=True)] = False,
    three: Annotated[bool, typer.Option("-3", hidden=True)] = False,
    four: Annotated[bool, typer.Option("-4", hidden=True)] = False,
    five: Annotated[bool, typer.Option("-5", hidden=True)] = False,
    six: Annotated[bool, typer.Option("-6", hidden=True)] = False,
    seven: Annotated[bool, typer.Option("-7", hidden=True)] = False,
    eight: Annotated[bool, typer.Option("-8", hidden=True)] = False,
    nine: Annotated[bool, typer.Option("-9", "--best", hidden=True)] = False,
    records: Annotated[
        bool, typer.Option("--records", help="Make a store of the lines, each to be read alone.")
    ] = False,
    field: Annotated[
        str | None, typer.Option("--field", help="Store this field of JSON lines, or column of CSV.")
    ] = None,
    past: Annotated[
        Path | None, typer.Option("--past", help="Lines that teach a store's coder; a choice of its own if left out.")
    ] = None,
    train: Annotated[
        bool,
        typer.Option(
            "--train", help="Make a model (-o) of samples like those to come: the lines of FILEs, or files of folders."
        ),
    ] = False,
    max_size: Annotated[str, typer.Option(metavar="SIZE", help="Of the model's file with --train: 200K, 1M.")] = "1M",
    minutes: Annotated[float | None, typer.Option(help="Of training, about; 3 if left out.")] = None,
    epochs: Annotated[float | None, typer.Option(help="In place of --minutes: the same model everywhere.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of --train.")] = 0,
) -> None:
    """Compress files losslessly.

    Each FILE becomes FILE.elz. What one machine writes every other reads, given the same model.

    Examples: elman compress -m english book.txt; elman decompress -c book.txt.elz;
    elman compress --train old.log -o log.model; elman compress --records -m log.model today.log
    """
    for number, given in enumerate((one, two, three, four, five, six, seven, eight, nine), 1):
        level = number if given else level
    for number, given in enumerate((one, two, three, four, five, six, seven, eight, nine), 1):
        level = number if given else level
    _check(keep, remove, list_, json_)
    if train:
        train_on_samples(files or ["-"], output, field, max_size, minutes, epochs, seed, force, quiet)
        return
    if minutes is not None or epochs is not None:
        raise InputError(f"--{'minutes' if epochs is None else 'epochs'} goes with --train")
    others = tuple(path for path in (model, past) if path is not None)
    job = Filewise(files or ["-"], output, stdout, force, remove, others)
    if decompress_ or test or list_:
        if records or field is not None:
            raise InputError("--records makes a store; `elman get` reads one")
        _expand(job, model, test, list_, json_, verbose and not quiet, threads)
        return
    if field is not None and not records:
        raise InputError("--field goes with --records")
    if field is not None and remove:
        raise InputError("a store of one field cannot give back the file; leave out --rm")
    predictor, say = predictor_of(model), verbose and not quiet
    if records:
        job.each(lambda name: make_store(job, name, predictor, level, field, past, say))
    else:
        job.each(lambda name: make_archive(job, name, predictor, level, threads, say))


def decompress(
    files: Files = None,
    model: Model = None,
    stdout: ToStdout = False,
    keep: Keep = False,
    force: Force = False,
    test: Test = False,
    list_: List = False,
    output: Output = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    threads: Threads = 1,
    remove: Remove = False,
    decompress_: Annotated[bool, typer.Option("-d", "--decompress", hidden=True)] = False,
    json_: ListJson = False,
) -> None:
    """Decompress what `elman compress` made.

    FILE.elz becomes FILE. A damaged archive, or one of another model, writes no file.

    Example: elman decompress book.txt.elz
    """
    _check(keep, remove, list_, json_)
    job = Filewise(files or ["-"], output, stdout, force, remove, () if model is None else (model,))
    _expand(job, model, test, list_, json_, verbose and not quiet, threads)


def _expand(job: Filewise, model: Path | None, test: bool, list_: bool, json_: bool, say: bool, threads: int) -> None:
    if list_:
        list_archives(job, json_)
    else:
        expand(job, predictor_of(model), test, threads, say)


def _check(keep: bool, remove: bool, list_: bool, json_: bool) -> None:
    if keep and remove:
        raise InputError("--keep and --rm exclude each other")
    if json_ and not list_:
        raise InputError("--json goes with --list")
