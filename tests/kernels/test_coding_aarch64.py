"""The same codes from every compiler and processor: coding_driver.cpp here, and on aarch64 under emulation."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
KERNEL = HERE.parents[1] / "src" / "native"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not KERNEL.is_dir(), reason="the tests run outside a checkout, without the kernel's source"),
]
GOLDEN = "cc0f3015e16c9ed91091de7c426ac6b2c3e35768ca9bdaaf2c73d62f38b80218"
"""SHA-256 of the driver's lines; another one is another contract."""


def lines(compiler: str, folder: Path, *emulator: str, flags: tuple[str, ...] = ()) -> str:
    for program in (compiler, *emulator[:1]):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    sources = [
        HERE / "coding_driver.cpp",
        *(KERNEL / "coding" / f"{name}.cpp" for name in ("tables", "block", "messages")),
    ]
    command = [compiler, "-std=c++17", "-O2", "-Wall", "-Wextra", "-ffp-contract=off", f"-I{KERNEL}", *flags]
    built = subprocess.run([*command, *map(str, sources), "-o", folder / "driver"], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    assert not built.stderr  # warnings
    done = subprocess.run([*emulator, folder / "driver"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "LOST" not in done.stdout
    assert len(done.stdout.splitlines()) == 38
    return hashlib.sha256(done.stdout.encode()).hexdigest()


def test_here(tmp_path):
    assert lines("g++", tmp_path) == GOLDEN


def test_clang(tmp_path):
    assert lines("clang++", tmp_path) == GOLDEN


def test_no_undefined_behaviour(tmp_path):
    assert lines("g++", tmp_path, flags=("-fsanitize=address,undefined", "-fno-sanitize-recover")) == GOLDEN


def test_aarch64(tmp_path):
    assert lines("aarch64-linux-gnu-g++", tmp_path, "qemu-aarch64", flags=("-static",)) == GOLDEN
