"""The `elman` command: the only place that prints. One module a command; heavy imports wait until one needs them."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Annotated

import typer

from .. import __version__
from ..errors import ElmanError, InputError
from . import compress, generate, get, info, inspect, quantise, runs, score, self_test, train
from .shared.console import complain, is_console, name_streams, out
from .shared.signals import ending_by_signal

app = typer.Typer(
    help="Recurrent language models: concise, fast, exact.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    train.train,
    generate.generate,
    score.score,
    inspect.inspect,
    quantise.quantise,
    compress.compress,
    compress.decompress,
    get.get,
    runs.runs,
    runs.plot,
    info.info,
    info.corpora,
    info.cache,
    info.recipes,
    self_test.self_test,
):
    app.command(cls=get.GetCommand if command is get.get else None)(command)


def main() -> None:
    """Run the command. Whatever a user can cause is one line on stderr and exit status 2."""
    name_streams()
    try:
        with ending_by_signal():
            status = app(standalone_mode=False)
            sys.stdout.flush()
        sys.exit(status)
    except typer.Abort:
        sys.exit(130)
    except typer.TyperException as error:
        if error.format_message():
            complain(InputError(error.format_message() + " (see --help)"))
        sys.exit(2)  # no command: the help is printed already
    except (ElmanError, OSError, MemoryError) as error:
        if is_console(error):
            with suppress(OSError):  # it would fail again when the interpreter ends
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            if isinstance(error, BrokenPipeError):  # the reader went away, as `| head` does
                sys.exit(1)
        complain(error)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _version(value: bool) -> None:
    if value:
        out.print(f"elman {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None: ...
