"""Every command, its arguments and options, as data: for the manual, shell completions and the reference."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import typer


class Parameter(NamedTuple):
    """An argument or an option."""

    names: tuple[str, ...]
    """Spellings, such as -o and --output; () for an argument."""
    value: str
    """The metavariable, such as FILE; empty for a flag."""
    help: str
    """Its help, with the default if there is one."""
    repeated: bool


class Leaf(NamedTuple):
    """A command that is no group."""

    path: str
    """Its name after `elman`: "store get"."""
    usage: str
    help: str
    parameters: tuple[Parameter, ...]


def command() -> Any:
    """The command `elman` itself."""
    from . import app

    return typer.main.get_command(app)


def groups() -> Iterator[tuple[str, Any]]:
    """Each group below `elman`, by name."""
    for path, each in _walk(command(), ""):
        if hasattr(each, "list_commands") and path:
            yield path, each


def leaves() -> Iterator[Leaf]:
    """Every command that help lists, in its order."""
    for path, each in _walk(command(), ""):
        if not hasattr(each, "list_commands"):
            context = typer.Context(each, info_name=path)
            found = (_parameter(one, context) for one in each.params if not getattr(one, "hidden", False))
            usage = " ".join(each.collect_usage_pieces(context))
            yield Leaf(path, usage, inspect.cleandoc(each.help or ""), tuple(found))


def _walk(each: Any, path: str) -> Iterator[tuple[str, Any]]:
    yield path, each
    if hasattr(each, "list_commands"):
        context = typer.Context(each)
        for name in each.list_commands(context):
            inner = each.get_command(context, name)
            if not inner.hidden:
                yield from _walk(inner, f"{path} {name}".strip())


def _parameter(each: Any, context: Any) -> Parameter:
    argument = each.param_type_name == "argument"
    value = "" if getattr(each, "is_flag", False) else each.make_metavar(context)
    _, text = each.get_help_record(context) or ("", each.help or "")
    names = () if argument else (*each.opts, *each.secondary_opts)
    return Parameter(names, re.sub(r"[][.]", "", value), " ".join(text.split()), argument and each.nargs != 1)
