"""libelman, the kernel without Python, exceptions and, where asked, threads: a program in C runs a layer with it, and
has the golden digest, whatever compiled it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from drivers import HERE, NATIVE, needs_source, tool

from elman import __version__, golden
from elman.golden.inputs import digest, layer_inputs
from elman.kernels import CELLS

pytestmark = needs_source
SIZES = {"T": 7, "B": 5, "I": 13, "H": 37}


def run(program: Path, cell: str) -> tuple[str, str]:
    """The digest of the layer's results, and what the program says of the library."""
    kind, (T, B, I, H) = CELLS[cell], SIZES.values()  # noqa: E741 (I is the size of the input)
    x, state, weights, cotangents = layer_inputs(cell, **SIZES)  # type: ignore
    given = b"".join(np.ascontiguousarray(a).tobytes() for a in (x, *state, *weights, *cotangents) if a is not None)
    command = [program, *map(str, (kind.code, T, B, I, H))]
    environment = {name: value for name, value in os.environ.items() if name != "ELMAN_ISA"}
    done = subprocess.run(command, input=given, capture_output=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr.decode()
    shapes = [
        (T, B, H),
        *[(B, H)] * kind.states,
        (T, B, I),
        *[(B, H)] * kind.states,
        *(w.shape for w in weights if w is not None),
    ]
    values, results, at = np.frombuffer(done.stdout, np.float32), [], 0
    for shape in shapes:
        size = int(np.prod(shape))
        results.append(values[at : at + size].reshape(shape))
        at += size
    assert at == len(values)
    return digest(results), done.stderr.decode().strip()


def library(folder: Path, compilers: dict[str, str], *options: str) -> Path:
    """Built by CMake: the folder that has it."""
    tool("cmake")
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    flags = ["-DCMAKE_BUILD_TYPE=Release", "-DELMAN_PORTABLE_ONLY=ON", *options]
    for command in (
        ["cmake", "-S", NATIVE / "c", "-B", folder, *generator, *flags],
        ["cmake", "--build", folder, "--parallel", "2"],
    ):
        done = subprocess.run(command, env=os.environ | compilers, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


def check(folder: Path, compiler: str, *libraries: str) -> set[str]:
    """What programs for all cells say of the library, all of whose results are golden."""
    program = folder / "program"
    command = [compiler, "-Wall", "-Wextra", "-Werror", f"-I{NATIVE / 'c'}", HERE / "library.c", folder / "libelman.a"]
    built = subprocess.run([*command, *libraries, "-lm", "-pthread", "-o", program], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    said = set()
    for cell in CELLS:
        result, about = run(program, cell)
        assert result == golden.expected("floats")[f"operations/{cell} real"]
        said.add(about)
    return said


def test_gcc(tmp_path):
    folder = library(tmp_path, {"CC": tool("gcc"), "CXX": tool("g++")})
    assert check(folder, "gcc", "-lstdc++") == {f"{__version__} portable 3"}
    symbols = subprocess.run(
        [tool("nm"), "-D", "--defined-only", folder / "libelman.so"], capture_output=True, text=True
    )
    ours = {line.split()[-1] for line in symbols.stdout.splitlines() if " T " in line}
    assert {name for name in ours if name.startswith("elman_")} >= {"elman_abi", "elman_forward", "elman_backward"}


def test_clang_with_its_own_library_and_no_threads(tmp_path):
    if not list(Path("/usr/lib").glob("**/libc++.so")):
        pytest.skip("libc++ is not installed")
    options = ("-DELMAN_NO_THREADS=ON", "-DCMAKE_CXX_FLAGS=-stdlib=libc++", "-DBUILD_SHARED_LIBS=OFF")
    folder = library(tmp_path, {"CC": tool("clang"), "CXX": tool("clang++")}, *options)
    assert check(folder, "clang", "-lc++", "-lc++abi") == {f"{__version__} portable 1"}
