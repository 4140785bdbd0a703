"""Every test here is of the native kernel: it needs one, and leaves the instruction set and the threads as before."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import drivers
import pytest
from drivers import EXACT, HERE, NATIVE, library, locked, shared_folder, tool

from elman import kernels


@pytest.fixture(scope="session", autouse=True)
def shared(tmp_path_factory):
    base = tmp_path_factory.getbasetemp()
    drivers.shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


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
def by_gcc():
    """libelman, built by GCC, and beside it the example and the program that opens damaged containers: once for all
    workers."""
    with locked(shared_folder("library")) as folder:
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
