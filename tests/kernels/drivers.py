"""Programs of C++ for tests: the tools that build and run them, and what such tests have in common."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NATIVE = HERE.parents[1] / "src" / "native"
EXACT = (NATIVE / "exact_flags.txt").read_text().split() if NATIVE.is_dir() else []
"""What every source of the kernel is compiled with, since bits depend on it."""
shared = Path()
"""What all workers of this run share; set by conftest.py."""
needs_source = [
    pytest.mark.slow,
    pytest.mark.skipif(not NATIVE.is_dir(), reason="the tests run outside a checkout, without the kernel's source"),
]


def shared_folder(name: str) -> Path:
    """One for all workers of this run, whose own folders lie side by side."""
    folder = shared / name
    folder.mkdir(exist_ok=True)
    return folder


@contextmanager
def locked(folder: Path) -> Iterator[Path]:
    """The folder, while no other worker is here."""
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def tool(*names: str) -> str:
    """The first of these programs that is installed, or the test is skipped."""
    for name in names:
        if shutil.which(name):
            return name
    pytest.skip(f"{' or '.join(names)} is not installed")


def build(script: str, compiler: str, program: Path, *flags: str, env: Mapping[str, str] | None = None) -> Path:
    """What a script of this folder makes, without a warning."""
    command = [HERE / script, compiler, program, *flags]
    with locked(shared_folder("objects")) as objects:
        environment = {**os.environ, **(env or {}), "OBJECTS": str(objects)}
        built = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    assert not built.stderr  # warnings
    return program


def build_aarch64(script: str, folder: Path) -> Path:
    """For the emulator, which must be there."""
    tool("qemu-aarch64", "qemu-aarch64-static")
    return build(script, tool("aarch64-linux-gnu-g++"), folder / "aarch64", "-static")


def library(folder: Path, compilers: dict[str, str], *options: str) -> Path:
    """libelman, built by CMake: the folder that has it."""
    tool("cmake")
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    flags = ["-DCMAKE_BUILD_TYPE=Release", "-DELMAN_PORTABLE_ONLY=ON", "-DCMAKE_INSTALL_LIBDIR=lib", *options]
    for command in (
        ["cmake", "-S", NATIVE / "c", "-B", folder, *generator, *flags],
        ["cmake", "--build", folder, "--parallel", "2"],
    ):
        done = subprocess.run(command, env=os.environ | compilers, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder
