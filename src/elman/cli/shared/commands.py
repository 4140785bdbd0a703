"""Commands that are imported when they are called, and their help: plain text, options under headings.

typer's own help is drawn by rich with its Markdown and syntax colours, which take three times as long to import as
typer itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from ...errors import ElmanError

_WIDTH = 100  # columns of a help text, at most
_METAVARS = {"int": "N", "integer": "N", "float": "X", "path": "PATH"}


class Command(TyperCommand):
    """A command whose help shows defaults, and whose error for an unknown option names near ones."""

    def __init__(self, name: str | None, **attributes: Any) -> None:
        attributes["context_settings"] = {"max_content_width": _WIDTH} | (attributes.get("context_settings") or {})
        attributes["rich_markup_mode"] = None
        super().__init__(name, **attributes)
        for option in self.params:
            if isinstance(option, TyperOption) and option.metavar is None and not option.is_flag:
                option.metavar = _METAVARS.get(option.type.name.split()[0], "TEXT")

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except typer.TyperException as error:
            near = getattr(error, "possibilities", None)
            if near is not None:
                shown = {name for option in self.params if not getattr(option, "hidden", False) for name in option.opts}
                _suggest(error, [name for name in near if name in shown])
            raise

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except ElmanError as error:
            error.options = tuple(each.name for each in self.params if isinstance(each, TyperOption) and each.name)
            raise

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Paragraphs are filled; examples, which begin the last one, have a line each."""
        text, found, examples = (self.help or "").partition("\n\nExample")
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(text)
        if found:
            with formatter.section("Examples"):
                for example in examples.partition(":")[2].split(";"):
                    formatter.write(f"{'':>{formatter.current_indent}}{' '.join(example.split())}\n")

    def format_options(self, ctx: Any, formatter: Any) -> None:
        groups: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                heading = "Arguments" if isinstance(parameter, TyperArgument) else "Options"
                groups.setdefault(getattr(parameter, "rich_help_panel", None) or heading, []).append(record)
        for heading, rows in groups.items():
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)


class Entry(NamedTuple):
    """A command that is not imported yet."""

    place: str
    """module:name, of a function or a Typer, below the command's package."""
    line: str
    """The first line of its help."""
    hidden: bool = False


def lazy_group(package: str, entries: Mapping[str, Entry]) -> type[TyperGroup]:
    """The class of a group that has these commands and imports each when it is called."""

    class Commands(TyperGroup):
        def list_commands(self, ctx: Any) -> list[str]:
            return list(entries)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            if cmd_name not in self.commands and cmd_name in entries:
                module, _, name = entries[cmd_name].place.partition(":")
                found = getattr(import_module(f"{package}.{module}"), name)
                command = typer.main.get_command(found if isinstance(found, typer.Typer) else single(found))
                command.name, command.hidden = cmd_name, entries[cmd_name].hidden
                self.commands[cmd_name] = command
            return self.commands.get(cmd_name)

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            try:
                return self._click_resolve_command(ctx, args)
            except typer.TyperException as error:
                from difflib import get_close_matches

                known = [name for name, entry in entries.items() if not entry.hidden]
                _suggest(error, get_close_matches(args[0], known))
                raise

        def format_commands(self, ctx: Any, formatter: Any) -> None:
            with formatter.section("Commands"):
                formatter.write_dl([(name, entry.line) for name, entry in entries.items() if not entry.hidden])

    return Commands


def single(function: Callable[..., None], cls: type[Command] = Command) -> typer.Typer:
    """A function as a command by itself."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(cls=cls)(function)
    return app


def _suggest(error: Any, near: list[str]) -> None:
    error.possibilities = None
    if near:
        error.message = f"{error.message.rstrip('.')}; did you mean {' or '.join(near)}?"
