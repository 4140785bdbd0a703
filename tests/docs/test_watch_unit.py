"""The systemd unit and the line of cron on the page on watching logs name what exists."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from command_line import PATIENCE

from elman.cli.score import score

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "watch.md"
if not PAGE.is_file():
    pytest.skip("the tests run outside a checkout, without its docs", allow_module_level=True)
TEXT = PAGE.read_text(encoding="utf-8")
(UNIT,) = re.findall(r"(?ms)^```ini\n(.*?)^```$", TEXT)
(CRON,) = re.findall(r"(?m)^(?:[*/\d]+ ){5}(.*)$", TEXT)
(STARTED,) = re.findall(r"(?m)^ExecStart=(.*)$", UNIT)
COMMANDS = {"unit": STARTED, "cron": CRON.removeprefix("timeout 60 ")}


@pytest.mark.parametrize("where", COMMANDS)
def test_the_command_takes_its_options(where):
    program, command, *arguments = shlex.split(COMMANDS[where])
    assert (Path(program).name, command) == ("elman", "score")
    app = typer.Typer()
    app.command()(score)
    with typer.main.get_command(app).make_context("score", arguments) as context:
        taken = context.params
    assert (taken["above_"], taken["follow_"], taken["json_"]) == ("auto", True, True)
    assert taken["place"]
    if where == "unit":
        assert Path(taken["place"]).parent == Path("/var/lib") / re.findall(r"(?m)^StateDirectory=(.*)$", UNIT)[0]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_reads_the_unit(tmp_path):
    path = tmp_path / "elman-watch.service"
    path.write_text(UNIT.replace(shlex.split(STARTED)[0], sys.executable))
    done = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True, timeout=PATIENCE)
    assert not [line for line in done.stderr.splitlines() if "elman-watch" in line]
    assert done.returncode == 0, done.stderr
