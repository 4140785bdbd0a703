"""Start-up: a command imports what it needs, and help knows each command without importing it."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import Any

import pytest
import typer
from command_line import refused, run

from elman.cli import COMMANDS, app
from elman.corpora import corpora as known_corpora
from elman.recipes.toml import purpose, recipe_names

GROUP: Any = typer.main.get_command(app)
HEAVY = ("numpy", "rich.console", "rich.markdown", "prompt_toolkit", "matplotlib", "elman.text", "elman.model")


def loaded_by(*arguments: str) -> set[str]:
    """The modules that the command has loaded when it ends."""
    code = (
        f"import sys; sys.argv = ['elman', *{list(arguments)!r}]\n"
        "from elman.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize("argument", ["--version", "--help"])
def test_what_every_command_waits_for_is_light(argument):
    loaded = loaded_by(argument)
    assert "typer" in loaded
    assert not loaded.intersection(HEAVY)
    assert not {f"elman.cli.{entry.place.partition(':')[0]}" for entry in COMMANDS.values()} & loaded


def test_a_command_loads_no_other():
    loaded = loaded_by("score", "--help")
    places = {f"elman.cli.{entry.place.partition(':')[0]}" for entry in COMMANDS.values()}
    assert places & loaded == {"elman.cli.score"}


@pytest.mark.parametrize(
    ("command", "heavy"),
    [
        (("recipes",), {"rich.console", "elman.text"}),
        (("corpora",), {"rich.console"}),
        (("info", "english"), {"rich.console"}),
        # the lowest version of rich that is allowed ends even a disabled bar with an empty line
        (("train", "traveller", "--output", "none", "--tokens", "split:["), {"rich.progress"}),
    ],
    ids=["recipes", "corpora", "info", "train"],
)
def test_what_a_program_reads_is_not_drawn(command, heavy):
    """A row is a line where no terminal shows it, and rich, which takes as long to import as NumPy, is not needed."""
    assert not heavy & loaded_by(*command)


def test_rows_are_lines_of_columns():
    names, first = list(recipe_names()), run("recipes").stdout.splitlines()
    assert [line.split()[0] for line in first] == names
    assert {line.index(purpose(name)) for name, line in zip(names, first, strict=True)} == {max(map(len, names)) + 2}
    corpora = run("corpora").stdout.splitlines()
    assert corpora[0].split() == ["name", "what", "where"]
    assert [line.split()[0] for line in corpora[1:]] == [row["name"] for row in known_corpora()]


def test_rows_on_a_terminal_are_folded(monkeypatch):
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "40")
    lines = run("recipes", fresh=True).stdout.splitlines()
    assert len(lines) > len(list(recipe_names()))
    assert max(map(len, lines)) <= 40


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_that_help_knows_is_the_commands(name):
    command = GROUP.get_command(typer.Context(GROUP), name)
    assert inspect.cleandoc(command.help).split("\n\n")[0] == COMMANDS[name].line
    assert command.hidden == COMMANDS[name].hidden


def test_help_lists_the_commands():
    shown = run("--help").stdout
    for name, entry in COMMANDS.items():
        assert (f"  {name} " in shown) != entry.hidden
        assert entry.hidden or entry.line.split()[0] in shown


def test_an_unknown_name_is_met_with_near_ones():
    refused(run("genrate"), "No such command 'genrate'; did you mean generate?")
    refused(run("score", "--recods"), "No such option: --recods; did you mean --records")
    done = run("score", "--frobnicate")
    refused(done, "No such option: --frobnicate (see --help)")
