"""The same codes from every compiler and processor: coding_driver.cpp here, and on aarch64 under emulation."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from command_line import PATIENCE
from drivers import EXACT, HERE, NATIVE, needs_source, tool

pytestmark = needs_source
GOLDEN = [
    "cc0f3015e16c9ed91091de7c426ac6b2c3e35768ca9bdaaf2c73d62f38b80218",
    "5e03ae983ee2c9717c4df1bbfa89ca7b617699d19662ba4819ac67d791d64af6",
    "928475f891f6454dd3ff85896db50fd12f2f5b6e9878533c87e37ff8fdb79fc2",
]
"""SHA-256 of the driver's lines of contract 1 and messages, of contract 2, and of an integer network; another one is
another contract."""


def lines(compiler: str, folder: Path, isa: str, *emulator: str, flags: tuple[str, ...] = ()) -> list[str]:
    for program in (compiler, *emulator[:1]):
        tool(program)
    parts = (
        "coding/tables", "coding/block", "coding/messages", "coding/past", "coding/marginals", "coding/tokens",
        "integer/packed", "integer/isa", "team/pool", "team/wait", "team/cores", "team/scratch", "team/environment",
    )  # fmt: skip
    names = (f"-DELMAN_CODING_ISA={isa}", f"-DELMAN_ISA_NAME={isa}", f"-DELMAN_{isa.upper()}")
    options = ("-std=c++17", "-O1", "-Wall", "-Wextra", *EXACT, "-pthread", f"-I{NATIVE}")
    sources = [HERE / "coding_driver.cpp", *(NATIVE / f"{part}.cpp" for part in parts)]
    command = [compiler, *options, *names, *flags, *sources, "-o", folder / "driver"]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    assert not built.stderr  # warnings
    done = subprocess.run([*emulator, folder / "driver"], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert "LOST" not in done.stdout
    printed = done.stdout.splitlines(keepends=True)
    second = [line for line in printed if line.startswith("block_2 ")]
    rest = [line for line in printed if not line.startswith("block_2 ")]
    assert (len(second), len(rest)) == (16, 42)
    return [hashlib.sha256("".join(part).encode()).hexdigest() for part in (rest[:38], second, rest[38:])]


def test_clang(tmp_path):
    assert lines("clang++", tmp_path, "portable") == GOLDEN


def test_here_without_undefined_behaviour(tmp_path):
    flags = ("-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover")  # -O1 would take twice as long in all
    assert lines("g++", tmp_path, "portable", flags=flags) == GOLDEN


@pytest.mark.parametrize("isa", ["neon", "neondot"])
def test_aarch64(tmp_path, isa):
    flags = ("-static", *(("-march=armv8.2-a+dotprod",) if isa == "neondot" else ()))
    assert lines("aarch64-linux-gnu-g++", tmp_path, isa, "qemu-aarch64", flags=flags) == GOLDEN
