"""Programs on how-to pages print what the page shows below them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import PATIENCE

DOCS = Path(__file__).parents[2] / "docs"
pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="the tests run outside a checkout, without its docs")


@pytest.mark.parametrize(("page", "program"), [("typing", "writer.py")])
def test_a_program_prints_what_the_page_shows(page, program, tmp_path):
    text = (DOCS / "how-to" / f"{page}.md").read_text(encoding="utf-8")
    (code,) = re.findall(rf"(?ms)^`{program}`:\n+```python\n(.*?)^```$", text)
    (shown,) = re.findall(rf"(?m)^    \$ python3 {program}\n((?:    .*\n)+)", text)
    (tmp_path / program).write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, program], cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [line.removeprefix("    ") for line in shown.splitlines()]
