"""What the kernel does where a size is zero or the system refuses; and its multiply-add without the instruction."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from command_line import PATIENCE
from drivers import build, needs_source, tool

pytestmark = needs_source


def built(driver: str, program: Path, team_flags: str = "") -> Path:
    return build("build_driver.sh", tool("g++", "c++"), program, env={"DRIVER": driver, "TEAM_FLAGS": team_flags})


@pytest.mark.parametrize("team_flags", ["", "-DELMAN_NO_FUTEX"], ids=["as here", "as elsewhere than Linux"])
def test_limits(team_flags, tmp_path):
    program = built("limits", tmp_path / "limits", team_flags)
    for threads in "1", "3":
        environment = {**os.environ, "ELMAN_THREADS": threads}
        done = subprocess.run([program], env=environment, capture_output=True, text=True, timeout=PATIENCE)
        lines = done.stdout.splitlines()
        assert (done.returncode, len(lines)) == (0, 12), done.stdout + done.stderr
        assert all(line.endswith(": right") for line in lines)


def test_portable_multiply_add_is_fused(tmp_path):
    program = built("fma", tmp_path / "fma")
    done = subprocess.run([program, "10"], capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout == "20000000 multiply-adds, 0 wrong\n"
