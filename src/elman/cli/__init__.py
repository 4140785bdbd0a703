"""The `elman` command: the only place that prints. One module a command, imported when the command is called."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Annotated

import typer

from .. import __version__
from ..errors import ElmanError, InputError
from .shared.commands import Entry, lazy_group
from .shared.signals import ending_by_signal
from .shared.streams import complain, is_console, name_streams

COMMANDS = {
    "train": Entry("train:train", "Train a model on a text."),
    "generate": Entry("generate:generate", "Continue a prompt."),
    "score": Entry("score:score", "Measure texts in bits per character, beside compressors and an n-gram model."),
    "calibrate": Entry("calibrate:calibrate", "Store in a model from how many bits on a line is odd."),
    "rescore": Entry("rescore:rescore", "Add a model's score to n-best lists."),
    "inspect": Entry("inspect:inspect", "Show what hidden units do over a text, and what the model has memorised."),
    "quantise": Entry("quantise:quantise", "Make a model of integers, a quarter of the bytes."),
    "export": Entry("export:export", "Take a model out of Python: as a page, for JavaScript, as C, as ONNX."),
    "compress": Entry("compress:command", "Compress files losslessly."),
    "decompress": Entry("decompress:decompress", "Decompress what `elman compress` made."),
    "store": Entry("store:store", "Keep lines in a compressed file from which each is read by its number."),
    "message": Entry("message:message", "Encode and decode short texts, each alone, without header or length."),
    "train-coder": Entry(
        "train_coder:train_coder", "Train a small model for messages and stores from samples like those to come."
    ),
    "quantize": Entry("quantise:quantise", "Make a model of integers, a quarter of the bytes.", hidden=True),
    "serve": Entry("serve:serve", "Serve models over HTTP, as OpenAI's API has it, with a page to write in."),
    "get": Entry("get:command", "Print lines of a store by number; now spelt `elman store get`.", hidden=True),
    "runs": Entry("runs:runs", "List the runs in a folder: where they differ, how far they are, what they reached."),
    "plot": Entry("runs:plot", "Draw the curves of several runs in one picture."),
    "info": Entry("info:info", "Show what a model file holds, and which backend serves it here."),
    "corpora": Entry("info:corpora", "List the named corpora."),
    "cache": Entry("info:cache", "Show the cache and its size, or clear it."),
    "recipes": Entry("info:recipes", "List the packaged recipes, or print all settings of one."),
    "self-test": Entry("self_test:self_test", "Compare this installation's results with the golden ones, bit for bit."),
    "completion": Entry("completion:completion", "Print a script that completes commands and options in a shell."),
    "manual": Entry("manual:manual", "Print the manual page, for `man`."),
}
"""The commands, in the order of the help."""

app = typer.Typer(
    cls=lazy_group(__name__, COMMANDS),
    help="Recurrent language models: concise, fast, exact.",
    context_settings={"max_content_width": 100},
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


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
        complain(InputError(error.format_message() + " (see --help)"))
        sys.exit(2)
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
        print(f"elman {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(2)
