"""`elman get`: the older spelling of `elman store get`, `append` and `info`."""

from __future__ import annotations

from typing import Annotated

import typer

from ..errors import InputError
from .shared import file_options as options
from .shared.commands import single
from .shared.console import Json
from .shared.file_options import advise
from .shared.stores import Null, Numbers, NumbersCommand, StorePath, append_lines, print_count, print_lines


def get(
    path: StorePath,
    numbers: Numbers = None,
    model: options.Model = None,
    count: Annotated[bool, typer.Option("--count", help="Print how many lines there are.")] = False,
    null: Null = False,
    json_: Json = False,
    append: Annotated[str | None, typer.Option("--append", metavar="FILE", help="Add the lines of this file.")] = None,
) -> None:
    """Print lines of a store by number; now spelt `elman store get`."""
    if append is not None and (numbers or count or null or json_):
        raise InputError("--append adds lines and prints none; leave out what asks for lines")
    if append is not None:
        advise("get --append", "store append")
    elif count:
        advise("get --count", "store info")
    else:
        advise("get", "store get")
    if append is not None:
        append_lines(path, append, model)
    elif count:
        if null and json_:
            raise InputError("--null and --json exclude each other")
        print_count(path, model)
    else:
        print_lines(path, numbers, model, null, json_)


command = single(get, NumbersCommand)
