"""Programs on how-to pages print what the page shows below them."""

from __future__ import annotations

import os
import re
import shutil
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


def test_the_r_code_for_reading_times_runs(tmp_path):
    rscript = shutil.which("Rscript")
    if not rscript:
        pytest.skip("R is not installed")
    text = (DOCS / "how-to" / "surprisal.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"(?ms)^```r\n(.*?)^```$", text)
    (table,) = re.findall(r"\$ printf '(item,.*?)' > items.csv", text)
    (tmp_path / "items.csv").write_text(table.replace("\\n", "\n"), encoding="utf-8")
    times = """times <- data.frame(item = 1, condition = rep(c("early", "late"), each = 4), word = rep(1:4, 2),
                    time = c(310, 295, 280, 340, 360, 290, 270, 330))\n"""
    (tmp_path / "page.R").write_text(times + code, encoding="utf-8")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        [rscript, "page.R"],
        cwd=tmp_path,
        env=os.environ | {"PATH": path},
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"\(Intercept\) +bits +bits_prev1 +bits_prev2 +length", done.stdout)
    intercept, *others = re.findall(r"-?\d+\.\d+", done.stdout)
    assert float(intercept) > 0
    assert len(others) >= 3
