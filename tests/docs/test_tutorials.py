"""What the tutorials show is run, page by page in one folder: programs, commands, and every line that they printed.

A block of Python that the text before it calls NAME.py is that file; any other continues the page's program, and the
indented block after it is what it printed. `make test-tutorials`: it takes minutes.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator

import pytest
from command_line import PATIENCE
from test_shown import DOCS, fits, shown

PAGES = ("short-messages", "log-store")
"""The third, odd-lines, learns from the names of the machine's own files."""
PART = re.compile(
    r"(?ms)^(?:`(?P<name>\w+\.py)`[^`]*?:\n\n)?```python\n(?P<code>.*?)^```\n(?:\n(?P<printed>(?:    [^\n]*\n)+))?"
)
SILENT = "import os, sys\nout, sys.stdout = sys.stdout, open(os.devnull, 'w')\n{}\nsys.stdout = out\n"
"""The page's program so far, which printed what it prints already."""
pytestmark = [
    pytest.mark.skipif("ELMAN_TUTORIALS" not in os.environ, reason="takes minutes: `make test-tutorials`"),
    pytest.mark.skipif(not DOCS.is_dir(), reason="the tests run outside a checkout, without its docs"),
]


def parts(page: str) -> Iterator[tuple[str, str, list[str]]]:
    """("file", "program" or "command"; its name or text; what it printed, or the lines of the file), in order."""
    at = 0
    for match in PART.finditer(page):
        yield from (("command", *one) for one in shown(page[at : match.start()]))
        at, code = match.end(), match["code"]
        if match["name"]:
            yield "file", match["name"], code.splitlines()
            at = match.end("code") + len("```\n")
        else:
            yield "program", code, [line[4:] for line in (match["printed"] or "").splitlines()]
    yield from (("command", *one) for one in shown(page[at:]))


def test_parts_of_a_page():
    page = "`a.py` writes:\n\n```python\nx\n```\n\n    python3 a.py > f\n\ntext\n\n"
    page += "```python\ny\n```\n\n    1\n\n    $ b\n    2\n"
    assert list(parts(page)) == [
        ("file", "a.py", ["x"]),
        ("command", "python3 a.py > f", []),
        ("program", "y\n", ["1"]),
        ("command", "b", ["2"]),
    ]


@pytest.mark.parametrize("name", PAGES)
def test_what_a_tutorial_shows(name, tmp_path):
    for package in ("pyppmd", "zstandard"):
        pytest.importorskip(package, reason=f"{package} is not installed; `make test-tutorials` installs it")
    programs = tmp_path / "bin"
    programs.mkdir()
    for program, start in (("elman", "-m elman.cli"), ("python3", "")):
        (programs / program).write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {start} "$@"\n')
        (programs / program).chmod(0o755)
    environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "COLUMNS": "120"}
    so_far = ""
    for kind, what, expected in parts((DOCS / "tutorials" / f"{name}.md").read_text(encoding="utf-8")):
        if kind == "file":
            (tmp_path / what).write_text("\n".join([*expected, ""]), encoding="utf-8")
            continue
        if kind == "program":
            line = [sys.executable, "-c", SILENT.format(so_far) + what]
            so_far += what
        elif re.match(r"[{\d]", what):
            continue  # a line of a file, shown alone
        else:
            line = ["sh", "-c", what]
        done = subprocess.run(
            line, cwd=tmp_path, env=environment, text=True, encoding="utf-8", timeout=PATIENCE,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        found = [line for line in done.stdout.splitlines() if line.strip()]
        missing = fits(expected, found)
        assert missing is None, f"{what}\n{done.stdout}\n--- not there: {missing}"
        assert done.returncode == 0, f"{what}\n{done.stdout}"
