"""The manual page and the shells' scripts, as man, bash, zsh and fish read them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from command_line import PATIENCE
from typer.testing import CliRunner

from elman.cli import app
from elman.cli.completion import bash, fish, zsh
from elman.cli.manual import page
from elman.cli.tree import leaves


def shell(*command: str, **options: Any) -> str:
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, **options)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The scripts and two files to complete."""
    made = tmp_path_factory.mktemp("shells")
    for name, text in {"elman.bash": bash(), "_elman": zsh(), "elman.fish": fish()}.items():
        (made / name).write_text(text)
    work = made / "work"
    work.mkdir()
    (work / "a story.txt").touch()
    (work / "my.toml").touch()
    return made


LINES = [
    ("elman ", {"train", "score", "store", "self-test"}, {"get", "quantize", "--output", "my.toml"}),
    ("elman sc", {"score"}, {"train"}),
    ("elman store ", {"make", "get", "append", "info"}, {"train"}),
    ("elman train --res", {"--resume"}, {"--records"}),
    ("elman store make --l", {"--level"}, {"--lr"}),
    ("elman score e", {"english"}, {"--html"}),
    ("elman train --recipe m", {"modern", "my.toml"}, {"book"}),
    ("elman score english a", {"a story.txt"}, {"my.toml"}),
    ("elman train --seed ", set(), {"my.toml", "traveller"}),
    ("elman recipes b", {"book"}, {"modern"}),
]


@pytest.mark.parametrize(("line", "expected", "absent"), LINES)
def test_bash(line, expected, absent, folder):
    script = """
        compopt() { :; }  # it refuses to run outside a completion
        source ../elman.bash
        read -ra COMP_WORDS <<< "$1"; [[ $1 == *' ' ]] && COMP_WORDS+=('')
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _elman && printf '%s\\n' "${COMPREPLY[@]}"
    """
    found = set(shell("bash", "-c", script, "bash", line, cwd=folder / "work").splitlines())
    assert expected <= found
    assert not absent & found


@pytest.mark.parametrize(("line", "expected", "absent"), LINES)
def test_fish(line, expected, absent, folder):
    environment = {**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    said = shell(
        "fish",
        "--private",
        "-c",
        'source ../elman.fish; complete -C "$argv[1]"',
        line,
        cwd=folder / "work",
        env=environment,
    )
    found = {each.split("\t")[0].replace("\\ ", " ") for each in said.splitlines()}
    assert expected <= found
    assert not absent & found


def test_zsh(folder):
    """Every command has a function, which gives _arguments its options; completing for real needs a terminal."""
    script = """
        autoload -Uz compinit && compinit -u -d zcompdump
        fpath=(.. $fpath)
        _arguments() { shift; print -r -- "$@"; }
        compdef() { print -r -- "compdef $@"; }
        eval "$(<../_elman)"
        for each in ${(k)functions[(I)_elman*]}; do print -r -- "$each"; done
        _elman_train
    """
    found = shell("zsh", "-f", "-c", script, cwd=folder / "work")
    assert "compdef _elman elman" in found
    for leaf in leaves():
        assert "_elman_" + leaf.path.replace(" ", "_").replace("-", "_") in found.split()
    assert "--recipe[" in found
    assert "modern" in found


def test_the_manual_page(tmp_path):
    text = page()
    (tmp_path / "elman.1").write_text(text)
    shown = shell("groff", "-man", "-ww", "-Tascii", "-P-cbou", str(tmp_path / "elman.1"))
    words = shown.split()
    for leaf in leaves():
        assert f"elman {leaf.path}" in shown
        for parameter in leaf.parameters:
            assert all(name in shown for name in parameter.names), leaf.path
    assert {"NAME", "SYNOPSIS", "ENVIRONMENT", "ELMAN_THREADS"} <= set(words)
    assert "elman train --resume runs/log" in shown


def test_the_commands_print_them():
    run = CliRunner().invoke
    assert run(app, ["completion", "bash"]).output == bash()
    assert run(app, ["completion", "zsh"]).output == zsh()
    assert run(app, ["completion", "fish"]).output == fish()
    assert run(app, ["manual"]).output == page()
    assert str(run(app, ["completion", "tcsh"]).exception) == "shell must be bash, zsh or fish, got 'tcsh'"
