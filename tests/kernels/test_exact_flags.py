"""The compiler neither fuses nor reorders: every source of the kernel has the exact flags, and its code shows it."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from drivers import EXACT, NATIVE, needs_source, tool

pytestmark = needs_source
FUSED = re.compile(r"\s(fn?madd|fn?msub|fmla|fmls)\s")
LOOSE = re.compile(r"-f(fast-math|unsafe-math-optimizations|associative-math|fp-contract=fast)\b|-Ofast\b")


def test_every_source_is_compiled_with_them():
    builds = sorted(
        (NATIVE.parents[1] / "build").glob("*/compile_commands.json"), key=lambda path: path.stat().st_mtime
    )
    if not builds:
        pytest.skip("the kernel was not built in this checkout's build folder")
    seen = set()
    for entry in json.loads(builds[-1].read_text()):
        if entry["file"].startswith(str(NATIVE)):
            flags = entry["command"].split()
            assert set(EXACT) <= set(flags), entry["file"]
            assert not LOOSE.search(entry["command"])
            seen.add(entry["file"])
    elsewhere = {*(NATIVE / "c").glob("*.cpp"), NATIVE / "team" / "alone.cpp"}  # libelman's alone
    assert seen == {str(path) for path in {*NATIVE.rglob("*.cpp")} - elsewhere}


def fused(source: str, flags: list[str], target: str = "aarch64-linux-gnu-g++") -> int:
    """How many fused instructions of floating point a source becomes, for a processor that always has them."""
    command = [tool(target), "-std=c++17", "-O3", *flags, f"-I{NATIVE}", "-S", "-o", "-", NATIVE / source]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return len(FUSED.findall(done.stdout))


@pytest.mark.parametrize("source", ["float/step.cpp", "integer/packed.cpp", "coding/messages.cpp", "coding/block.cpp"])
def test_what_writes_no_fused_instruction_has_none(source):
    assert fused(source, EXACT) == 0


def test_without_them_there_are_some():
    assert fused("float/step.cpp", []) > 0
