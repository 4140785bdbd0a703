"""What the kernel does where a size is zero or the system refuses; and its multiply-add without the instruction."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
pytestmark = pytest.mark.skipif(
    not (HERE.parents[1] / "src").is_dir(), reason="the tests run outside a checkout, without the kernel's source"
)


def build(driver: str, program: Path, *flags: str) -> Path:
    compiler = shutil.which("g++") or shutil.which("c++")
    if not compiler:
        pytest.skip("no C++ compiler")
    environment = {**os.environ, "DRIVER": driver}
    command = [HERE / "build_driver.sh", compiler, program, *flags]
    built = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return program


@pytest.mark.parametrize("flags", [(), ("-DELMAN_NO_FUTEX",)], ids=["as here", "as elsewhere than Linux"])
def test_limits(flags, tmp_path):
    program = build("limits", tmp_path / "limits", *flags)
    for threads in "1", "3":
        environment = {**os.environ, "ELMAN_THREADS": threads}
        done = subprocess.run([program], env=environment, capture_output=True, text=True, timeout=120)
        lines = done.stdout.splitlines()
        assert (done.returncode, len(lines)) == (0, 12), done.stdout + done.stderr
        assert all(line.endswith(": right") for line in lines)


def test_portable_multiply_add_is_fused(tmp_path):
    program = build("fma", tmp_path / "fma")
    done = subprocess.run([program, "10"], capture_output=True, text=True, timeout=120)
    assert done.stdout == "20000000 multiply-adds, 0 wrong\n"
