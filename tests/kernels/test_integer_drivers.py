"""The same digests of the integer kernels from every compiler and instruction set: integer_driver.cpp on this machine,
on aarch64 under qemu, and with instructions that this machine may lack in plain C, by SIMD Everywhere."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from command_line import PATIENCE
from drivers import build, build_aarch64, needs_source, tool

SCRIPT = "build_integer_driver.sh"
pytestmark = needs_source


def digests(*command: str | Path) -> list[str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 102
    return lines


@pytest.fixture(scope="module")
def host(tmp_path_factory) -> Path:
    return build(SCRIPT, tool("g++", "c++"), tmp_path_factory.mktemp("driver") / "host")


@pytest.fixture(scope="module")
def expected(host) -> list[str]:
    return digests(host, "portable", "1")


def runs_here(isa: str) -> bool:
    _cpu = pytest.importorskip("elman.kernels._cpu")
    before = _cpu.integer_isa()
    try:
        _cpu.set_integer_isa(isa)
    except RuntimeError:
        return False
    _cpu.set_integer_isa(before)
    return True


@pytest.mark.parametrize("threads", ["1", "3"])
@pytest.mark.parametrize("isa", ["portable", "avx2", "avxvnni", "avx512vnni", "neon", "neondot"])
def test_this_machine(isa, threads, host, expected):
    if not runs_here(isa):
        pytest.skip(f"this machine does not run {isa}")
    assert digests(host, isa, threads) == expected


def test_another_compiler(tmp_path, expected):
    program = build(SCRIPT, tool("clang++"), tmp_path / "clang")
    assert digests(program, "portable", "3") == expected
    if os.uname().machine == "x86_64" and runs_here("avx2"):
        assert digests(program, "avx2", "3") == expected


@pytest.mark.parametrize("isa", ["avxvnni", "avx512vnni"])
def test_emulated(isa, tmp_path_factory, expected):
    if os.uname().machine != "x86_64" or not Path("/usr/include/simde/x86/avx512.h").exists():
        pytest.skip("SIMD Everywhere (libsimde-dev) is not installed, or this is not x86")
    program = tmp_path_factory.getbasetemp() / "emulated"
    if not program.exists():
        build(SCRIPT, tool("g++"), program, "--emulated")
    assert digests(program, isa, "1") == expected


@pytest.fixture(scope="module")
def aarch64(tmp_path_factory) -> Path:
    return build_aarch64(SCRIPT, tmp_path_factory.mktemp("driver"))


@pytest.mark.parametrize(("isa", "threads"), [("neondot", "1"), ("neon", "3"), ("portable", "3")])
def test_aarch64(isa, threads, aarch64, expected):
    assert digests(tool("qemu-aarch64", "qemu-aarch64-static"), aarch64, isa, threads) == expected
