"""What the how-to pages show is run, page by page in one folder: every command, and every line that it printed.

In an indented block a line that begins with `$` is a command, and the lines below it are its output, where `...` means
lines left out. Lines above the first `$` are commands too. Times, rates, threads and instruction sets may differ.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import PATIENCE

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("own-text", "new-names", "molecules", "watch", "surprisal", "compare", "class", "kenlm", "export-c")
"""In this order: some use a model that an earlier one trained."""
MEASURED = re.compile(r"[\d.,]+ s\b|[\d,]+ characters/s|backend cpu \([^)]*\)")
pytestmark = [
    pytest.mark.skipif(not DOCS.is_dir(), reason="the tests run outside a checkout, without its docs"),
    pytest.mark.skipif(
        unicodedata.unidata_version != "14.0.0", reason="the pages list the names of Unicode 14, Python 3.11's"
    ),
    pytest.mark.slow,
]


def shown(page: str) -> Iterator[tuple[str, list[str]]]:
    """Each command of a page and the lines that it printed."""
    text = re.sub(r"(?ms)^```.*?^```$", "", page)
    for code in re.findall(r"(?m)(?:^    .*\n(?:\n*(?=    ))?)+", text + "\n"):
        block = [line[4:].rstrip() for line in code.splitlines() if line.strip()]
        first = next((i for i, line in enumerate(block) if line.startswith("$ ")), len(block))
        yield from ((line, []) for line in block[:first])
        command, printed = "", []
        for line in block[first:]:
            if command.endswith("\\"):
                command = command.removesuffix("\\") + line
            elif line.startswith("$ "):
                if command:
                    yield command, printed
                command, printed = line.removeprefix("$ "), []
            else:
                printed.append(line)
        if command:
            yield command, printed


def fits(expected: list[str], found: list[str]) -> str | None:
    """The first expected line that was not printed where it should be, or None."""
    at, anywhere = 0, False
    for line in expected:
        if line.strip() == "...":
            anywhere = True
            continue
        places = range(at, len(found)) if anywhere else range(at, min(at + 1, len(found)))
        at = next((i + 1 for i in places if same(line, found[i])), 0)
        if not at:
            return line
        anywhere = False
    return None


def same(shown: str, printed: str) -> bool:
    shown, printed = (re.sub(r"\s+", " ", MEASURED.sub("~", line)).strip() for line in (shown, printed))
    return shown == printed


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where all pages run, with the commands that they call."""
    place = tmp_path_factory.mktemp("pages")
    programs = place / "bin"
    programs.mkdir()
    for name, start in (("elman", "-m elman.cli"), ("python3", "")):
        (programs / name).write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {start} "$@"\n')
        (programs / name).chmod(0o755)
    return place


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_shows(name, folder):
    environment = os.environ | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "COLUMNS": "80"}
    commands = list(shown((DOCS / "how-to" / f"{name}.md").read_text(encoding="utf-8")))
    assert any(printed for _, printed in commands)
    status = 0
    for command, expected in commands:
        line = command.replace("$?", str(status))
        done = subprocess.run(
            ["sh", "-c", line], cwd=folder, env=environment, text=True, encoding="utf-8", timeout=PATIENCE,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        status = done.returncode
        found = [line for line in done.stdout.splitlines() if line.strip() and " so far " not in line]  # by the clock
        missing = fits(expected, found)
        assert missing is None, f"$ {command}\n{done.stdout}\n--- not there: {missing}"
        assert status == 0 or expected, f"$ {command}\n{done.stdout}"


def test_a_wrong_line_is_found():
    assert fits(["a", "...", "c 1.0 s"], ["a", "b", "c  2.5 s", "d"]) is None
    assert fits(["a", "c"], ["a", "b", "c"]) == "c"
    assert fits(["...", "b", "a"], ["a", "b"]) == "a"
    page = "text\n\n    $ one \\\n        two\n    out\n    $ three\n\nmore\n\n    four\n"
    assert list(shown(page)) == [("one     two", ["out"]), ("three", []), ("four", [])]
