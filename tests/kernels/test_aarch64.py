"""The same digests from every compiler and processor: driver.cpp on this machine, and on aarch64 under emulation."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from command_line import PATIENCE
from drivers import build, build_aarch64, needs_source, tool

SCRIPT = "build_driver.sh"
pytestmark = needs_source
HOST = {"x86_64": ("portable", "avx2", "avx512"), "aarch64": ("portable", "neon")}.get(
    os.uname().machine, ("portable",)
)


def digests(isa: str, threads: int, *command: str | Path) -> list[str]:
    environment = {**os.environ, "ELMAN_ISA": isa, "ELMAN_THREADS": str(threads)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    if "this machine can run" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    assert f"{isa}, {threads} threads" in done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 188
    assert lines[-1] == "concurrent callers: same"
    return lines


@pytest.fixture(scope="module")
def host(tmp_path_factory) -> Path:
    return build(SCRIPT, tool("g++", "c++"), tmp_path_factory.mktemp("driver") / "host")


@pytest.fixture(scope="module")
def expected(host) -> list[str]:
    return digests("portable", 1, host)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("isa", HOST)
def test_this_machine(isa, threads, host, expected):
    assert digests(isa, threads, host) == expected


def test_another_compiler(tmp_path, expected):
    program = build(SCRIPT, tool("clang++"), tmp_path / "clang")
    for isa in HOST:
        assert digests(isa, 3, program) == expected


@pytest.fixture(scope="module")
def aarch64(tmp_path_factory) -> Path:
    return build_aarch64(SCRIPT, tmp_path_factory.mktemp("driver"))


@pytest.mark.parametrize(("isa", "threads"), [("neon", 1), ("neon", 3), ("portable", 3)])
def test_aarch64(isa, threads, aarch64, expected):
    assert digests(isa, threads, tool("qemu-aarch64", "qemu-aarch64-static"), aarch64) == expected
