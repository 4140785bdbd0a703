"""`elman compress`, `decompress` and `get`: files and lines, smaller, with the habits of gzip and zstd."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from ..errors import CompressedError, InputError
from ..files import staged
from .console import err, out
from .samples import reading, records_of, train_on_samples

if TYPE_CHECKING:
    from ..compression import Predictor

SUFFIX, STORE_SUFFIX = ".elz", ".elr"

Files = Annotated[list[str] | None, typer.Argument(metavar="[FILE]...", help="Files; - or none: standard input.")]
Model = Annotated[
    Path | None,
    typer.Option("-m", "--model", help="The model that both ends have: a file, or english; none: contexts alone."),
]
Decompress = Annotated[bool, typer.Option("-d", "--decompress", help="As `elman decompress`.")]
ToStdout = Annotated[bool, typer.Option("-c", "--stdout", help="Write to standard output.")]
Keep = Annotated[bool, typer.Option("-k", "--keep", help="Keep the files that were read; the default.")]
Force = Annotated[bool, typer.Option("-f", "--force", help="Write over files, and to a terminal.")]
Test = Annotated[bool, typer.Option("-t", "--test", help="Decode, and write nothing.")]
List = Annotated[bool, typer.Option("-l", "--list", help="Sizes, and the model's first digits.")]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="The file to write.")]
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
    level: Annotated[int, typer.Option("--level", min=1, max=9, help="1 is fastest, 9 smallest; or -1 to -9.")] = 6,
    one: Annotated[bool, typer.Option("-1", hidden=True)] = False,
    two: Annotated[bool, typer.Option("-2", hidden=True)] = False,
    three: Annotated[bool, typer.Option("-3", hidden=True)] = False,
    four: Annotated[bool, typer.Option("-4", hidden=True)] = False,
    five: Annotated[bool, typer.Option("-5", hidden=True)] = False,
    six: Annotated[bool, typer.Option("-6", hidden=True)] = False,
    seven: Annotated[bool, typer.Option("-7", hidden=True)] = False,
    eight: Annotated[bool, typer.Option("-8", hidden=True)] = False,
    nine: Annotated[bool, typer.Option("-9", hidden=True)] = False,
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
    """Make files smaller.

    Each FILE becomes FILE.elz. What one machine writes every other reads, given the same model.

    Examples: elman compress -m english book.txt; elman decompress -c book.txt.elz;
    elman compress --train old.log -o log.model; elman compress --records -m log.model today.log
    """
    for number, given in enumerate((one, two, three, four, five, six, seven, eight, nine), 1):
        level = number if given else level
    if keep and remove:
        raise InputError("--keep and --rm exclude each other")
    if train:
        train_on_samples(files or ["-"], output, field, max_size, minutes, epochs, seed, force, quiet)
        return
    if minutes is not None or epochs is not None:
        raise InputError(f"--{'minutes' if epochs is None else 'epochs'} goes with --train")
    if decompress_ or test or list_:
        if records or field is not None:
            raise InputError("--records makes a store; `elman get` reads one")
        _expand(files, model, stdout, force, test, list_, output, quiet, verbose, threads, remove)
        return
    from ..compression import compress as to_archive

    if field is not None and not records:
        raise InputError("--field goes with --records")
    predictor = _predictor(model)
    for name in _names(files, output):
        if records:
            _store(name, output, predictor, level, field, past, force, quiet, verbose, remove)
            continue
        if not force and name.endswith(SUFFIX):
            raise InputError(f"{name} has the suffix {SUFFIX} already; -f compresses it again")
        target = _target(name, output, stdout, name + SUFFIX)
        with reading(name) as source, _writing(target, force, binary_to_terminal=False) as file:
            totals = to_archive(source, file, predictor, level=level, threads=threads or os.cpu_count() or 1)
        _finish(name, target, remove)
        if verbose and not quiet:
            err.print(f"{name}: {totals.raw} -> {totals.coded} bytes, {_bits(totals.coded, totals.raw)}")


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
) -> None:
    """Give back what `elman compress` made smaller.

    FILE.elz becomes FILE. A damaged archive, or one of another model, writes no file.

    Example: elman decompress book.txt.elz
    """
    if keep and remove:
        raise InputError("--keep and --rm exclude each other")
    _expand(files, model, stdout, force, test, list_, output, quiet, verbose, threads, remove)


def get(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="A .elr file.")],
    numbers: Annotated[
        list[str] | None, typer.Argument(metavar="[N]...", help="Lines, from 1: N, N-M, N- or -M; none: all.")
    ] = None,
    model: Model = None,
    count: Annotated[bool, typer.Option("--count", help="Only say how many lines there are.")] = False,
    append: Annotated[
        Path | None, typer.Option("--append", help="Add the lines of this file; - for standard input.")
    ] = None,
) -> None:
    """Read lines of a store by their numbers.

    Example: elman get access.elr 17 200-210
    """
    from ..compression import Store

    with _named(str(store)), Store(store, _predictor(model)) as lines:
        if append is not None:
            lines.append(records_of(str(append), None))
        elif count:
            out.print(len(lines))
        else:
            ranges = [_range(text, len(lines)) for text in numbers or ["-"]]
            for chosen in ranges:
                for start in range(0, len(chosen), 4096):
                    for line in lines.get(chosen[start : start + 4096]):
                        _stdout().write(line + b"\n")
            _stdout().flush()


def _expand(
    files: list[str] | None, model: Path | None, stdout: bool, force: bool, test: bool, list_: bool,
    output: Path | None, quiet: bool, verbose: bool, threads: int, remove: bool,
) -> None:  # fmt: skip
    from ..compression import decompress as from_archive

    if list_:
        _list(_names(files, output))
        return
    predictor = _predictor(model)
    for name in _names(files, output):
        plain = name.removesuffix(SUFFIX)
        if plain == name and name != "-" and not (stdout or test or output):
            raise InputError(f"{name} lacks the suffix {SUFFIX}; name the result with -o, or use -c")
        target = os.devnull if test else _target(name, output, stdout, plain)
        with _named(name), reading(name) as source, _writing(target, force or test, binary_to_terminal=True) as file:
            totals = from_archive(source, file, predictor, threads=threads or os.cpu_count() or 1)
        if not test:
            _finish(name, target, remove)
        if verbose and not quiet:
            err.print(f"{name}: {'whole, ' if test else ''}{totals.coded} -> {totals.raw} bytes")


def _list(names: list[str]) -> None:
    from ..compression import Archive

    out.print(f"{'coded':>12} {'raw':>12} {'bits/byte':>9} {'blocks':>6} level model    name")
    for name in names:
        if name == "-":
            raise InputError("-l needs the name of a file")
        with _named(name), Archive(name) as archive:
            coded = os.path.getsize(name)
            model = archive.digest.hex()[:8] if any(archive.digest) else "none"
            bits = f"{8 * coded / archive.raw_size:.3f}" if archive.raw_size else "-"
            sizes = f"{coded:>12} {archive.raw_size:>12} {bits:>9} {len(archive.blocks):>6}"
            out.print(f"{sizes} {archive.level:>5} {model:<8} {name}")


def _store(
    name: str, output: Path | None, predictor: Predictor | None, level: int, field: str | None, past: Path | None,
    force: bool, quiet: bool, verbose: bool, remove: bool,
) -> None:  # fmt: skip
    from ..compression import write_store

    if name == "-" and output is None:
        raise InputError("a store needs a name; give one with -o")
    target = str(output) if output else name + STORE_SUFFIX
    if os.path.exists(target) and not force:
        raise InputError(f"{target} exists; -f writes over it")
    from ..corpora import read_file

    lines = list(records_of(name, field))
    write_store(lines, target, predictor, past=read_file(past) if past else None, level=level)
    _finish(name, target, remove)
    if verbose and not quiet:
        raw, coded = sum(map(len, lines)) + len(lines), os.path.getsize(target)
        err.print(f"{name}: {len(lines)} lines, {raw} -> {coded} bytes, {_bits(coded, raw)}")


def _range(text: str, count: int) -> range:
    first, dash, last = text.partition("-")
    try:
        start, end = int(first or 1), int(last or count) if dash else int(first)
    except ValueError:
        raise InputError(f"{text!r} is not a line's number, nor a range such as 5-9") from None
    if (first or last) and not 1 <= start <= end <= count:
        raise InputError(f"the store has lines 1 to {count}; there is no {text}")
    return range(start - 1, end)


# --- files ---


def _predictor(model: Path | None) -> Predictor | None:
    if model is None:
        return None
    from ..compression import load_predictor

    return load_predictor(model)


def _names(files: list[str] | None, output: Path | None) -> list[str]:
    names = files or ["-"]
    if output is not None and len(names) > 1:
        raise InputError(f"-o names one file, and there are {len(names)} to read")
    return names


def _target(name: str, output: Path | None, stdout: bool, beside: str) -> str:
    if output is not None:
        return str(output)
    return "-" if stdout or name == "-" else beside


@contextmanager
def _writing(target: str, force: bool, *, binary_to_terminal: bool) -> Iterator[BinaryIO]:
    """The file, whole or not at all; or standard output."""
    if target == "-":
        if sys.stdout.isatty() and not force and not binary_to_terminal:
            raise InputError("an archive is nothing for a terminal; name a file with -o, or use -f")
        yield _stdout()
        _stdout().flush()
    elif target == os.devnull:
        with open(target, "wb") as file:
            yield file
    else:
        if os.path.exists(target) and not force:
            raise InputError(f"{target} exists; -f writes over it")
        with staged(target) as file:
            yield file


def _stdout() -> BinaryIO:
    return sys.stdout.buffer


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Say of which file an error is."""
    try:
        yield
    except CompressedError as error:
        raise CompressedError(f"{name if name != '-' else 'standard input'}: {error}") from None


def _finish(name: str, target: str, remove: bool) -> None:
    """Give the new file the old one's mode and time; and remove that, if asked to."""
    if name == "-" or target == "-":
        return
    read = os.stat(name)
    os.chmod(target, stat.S_IMODE(read.st_mode))
    os.utime(target, ns=(read.st_atime_ns, read.st_mtime_ns))
    if remove:
        os.unlink(name)


def _bits(coded: int, raw: int) -> str:
    return f"{8 * coded / raw:.3f} bits a byte" if raw else "empty"
