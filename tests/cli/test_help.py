"""Help texts of every command: how they begin, what they show."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
import typer

from elman.cli import COMMANDS, app

GROUP: Any = typer.main.get_command(app)


def commands() -> dict[str, Any]:
    """Every command by what is typed, with those of groups."""
    found = {}
    for name in COMMANDS:
        command = GROUP.get_command(typer.Context(GROUP), name)
        found[name] = command
        found |= {f"{name} {inner}": each for inner, each in getattr(command, "commands", {}).items()}
    return found


ALL = commands()
FORBIDDEN = re.compile(r"(Of|The same|As|In place of|What|Where|To|Between|If|With|For|By|From [a-z]+ to)\b")


@pytest.mark.parametrize("name", ALL)
def test_a_help_text_begins_with_a_verb_or_a_noun(name):
    command = ALL[name]
    texts = [command.help, *(option.help for option in command.params if not getattr(option, "hidden", False))]
    for text in texts:
        assert text, name
        first = inspect.cleandoc(text)
        assert not FORBIDDEN.match(first), (name, first)
        assert first.endswith((".", "`.", ")")) or "\n" in first, (name, first)


@pytest.mark.parametrize("name", ALL)
def test_metavariables_are_capitals_and_output_is_o(name):
    context = typer.Context(ALL[name], info_name=name)
    for parameter in ALL[name].params:
        shown = parameter.make_metavar(context)
        if not getattr(parameter, "is_flag", False):
            assert shown == shown.upper(), (name, shown)
        assert ("--output" in parameter.opts) == ("-o" in parameter.opts), name
        assert not any(each.startswith("--no-") for each in parameter.secondary_opts) or name == "score", name


def test_required_arguments_are_bare_and_optional_ones_in_brackets():
    for name, command in ALL.items():
        for piece in command.collect_usage_pieces(typer.Context(command, info_name=name)):
            assert re.fullmatch(r"\[?[A-Z]+\]?(\.\.\.)?|COMMAND \[ARGS\]\.\.\.", piece), (name, piece)


def test_american_spellings_are_accepted():
    quantise, train = (GROUP.get_command(typer.Context(GROUP), name) for name in ("quantize", "train"))
    assert [option.opts for option in quantise.params] == [option.opts for option in ALL["quantise"].params]
    assert quantise.hidden
    (spelt,) = [option.opts for option in train.params if option.name == "normalisation"]
    assert spelt == ["--normalisation", "--normalization"]
