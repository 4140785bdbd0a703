"""`elman store make|get|append|info`: lines in a compressed file, each read by its number."""

from __future__ import annotations

from typing import Annotated

import typer

from .shared import file_options as options
from .shared.commands import Command
from .shared.console import Json
from .shared.file_options import check_kept
from .shared.filewise import Filewise
from .shared.stores import Null, Numbers, NumbersCommand, StorePath, append_lines, make_stores, print_facts, print_lines

store = typer.Typer(
    help="Keep lines in a compressed file from which each is read by its number.",
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"max_content_width": 100},
)


@store.command(cls=options.LevelCommand)
def make(
    files: options.Files = None,
    model: options.Model = None,
    output: options.Output = None,
    level: options.Level = 6,
    field: options.FieldOf = None,
    past: options.Past = None,
    keep: options.Keep = False,
    remove: options.Remove = False,
    force: options.Replace = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Make a store of the lines of each file.

    Each FILE becomes FILE.elr.

    Example: elman store make -m log.model today.log
    """
    check_kept(keep, remove)
    others = tuple(path for path in (model, past) if path is not None)
    job = Filewise(files or ["-"], output, False, force, remove, others)
    make_stores(job, model, level, field, past, verbose and not quiet)


@store.command(cls=NumbersCommand)
def get(
    path: StorePath,
    numbers: Numbers = None,
    model: options.Model = None,
    null: Null = False,
    json_: Json = False,
) -> None:
    """Print lines of a store by number.

    All of them are the text as it was, to the byte. Where a store holds a field in which lines end, --null or --json
    tell where one record ends and the next begins.

    Example: elman store get access.elr 17 200-210
    """
    print_lines(path, numbers, model, null, json_)


@store.command(cls=Command)
def append(
    path: StorePath,
    file: Annotated[str, typer.Argument(metavar="[FILE]", help="Lines to add; -: standard input.")] = "-",
    model: options.Model = None,
) -> None:
    """Add lines to a store.

    Several processes may add to one store; each waits for the other.

    Example: elman store append access.elr more.log
    """
    append_lines(path, file, model)


@store.command(cls=Command)
def info(path: StorePath, json_: Json = False) -> None:
    """Show a store's number of lines, size, level and model's id.

    Example: elman store info access.elr
    """
    print_facts(path, json_)
