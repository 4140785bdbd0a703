"""Every test here is of the native kernel: it needs one, and leaves the instruction set and the threads as before."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

import pytest
from drivers import EXACT, HERE, NATIVE, library, tool

from elman import kernels


@pytest.fixture(autouse=True)
def native():
    name, why = kernels.serving()
    if name != "cpu":
        pytest.skip(f"the native kernel does not serve here: {why}")
    from elman.kernels import _cpu

    isa, threads = _cpu.isa(), _cpu.threads()
    yield
    _cpu.set_isa(isa)
    _cpu.set_threads(threads)


@pytest.fixture(scope="session")
def by_gcc(tmp_path_factory):
    """libelman, built by GCC, and beside it the example and the program that opens damaged containers: once for all
    workers, whose folders lie side by side."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "library"
    folder.mkdir(exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "damage").exists():
            _build(folder)
    return folder


def _build(folder: Path) -> None:
    library(folder, {"CC": tool("gcc"), "CXX": tool("g++")})
    sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g"]
    common = ["-O1", "-Wall", "-Wextra", "-Werror", f"-I{NATIVE / 'c'}"]
    border = [NATIVE / "c" / f"{name}.cpp" for name in ("elman", "model", "container")]
    cpp = ["-std=c++17", "-fno-exceptions", *EXACT, '-DELMAN_VERSION="0"']
    jobs = [
        ["gcc", "-std=c99", "-pedantic", *common, NATIVE / "c" / "example.c", folder / "libelman.a", "-lstdc++", "-lm"],
        ["g++", *cpp, *common, *sanitize, HERE / "damage.cpp", *border, folder / "libelman.a"],
    ]
    for name, job in zip(("example", "damage"), jobs, strict=True):
        done = subprocess.run([*job, "-pthread", "-o", folder / name], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
