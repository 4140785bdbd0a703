"""The workflows call only targets of the Makefile, which anybody can run; and which wheels cibuildwheel builds."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
pytestmark = pytest.mark.skipif(not WORKFLOWS, reason="the tests run outside a checkout")


def steps(key: str) -> list[tuple[str, str]]:
    """(workflow, value) of every `run:` or `uses:`."""
    found = [(path.name, line) for path in WORKFLOWS for line in path.read_text("utf-8").splitlines()]
    return [(name, m[1]) for name, line in found if (m := re.fullmatch(rf"\s*(?:- )?{key}:\s*(.*)", line))]


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][\w-]*):(?!=)", (ROOT / "Makefile").read_text("utf-8"), re.M))


def test_every_step_is_a_target_of_the_makefile():
    runs = steps("run")
    assert {name for name, _ in runs} == {path.name for path in WORKFLOWS}
    for name, command in runs:
        made = re.fullmatch(r"(?:sudo )?make ([\w-]+)", command)
        assert made, f"{name}: {command!r} is not one target of the Makefile"
        assert made[1] in targets(), f"{name}: the Makefile has no target {made[1]!r}"


def test_every_action_is_pinned_by_a_commit_and_names_its_version():
    uses = steps("uses")
    assert uses
    for name, action in uses:
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*", action), f"{name}: {action}"


def test_every_target_that_is_no_file_is_phony():
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.M)
    assert phony
    assert targets() == set(phony[1].split())


def test_the_scripts_of_the_makefile_are_there():
    for script in re.findall(r"packaging/\w+\.\w+", (ROOT / "Makefile").read_text("utf-8")):
        assert (ROOT / script).is_file(), script


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("cibuildwheel") is None,
    reason="cibuildwheel is not installed",
)
@pytest.mark.parametrize(
    ("platform", "architectures", "expected"),
    [
        (
            "linux",
            "x86_64,aarch64",
            {f"{libc}_{cpu}" for libc in ("manylinux", "musllinux") for cpu in ("x86_64", "aarch64")},
        ),
        ("macos", "x86_64,arm64", {"macosx_x86_64", "macosx_arm64"}),
        ("windows", "AMD64", {"win_amd64"}),
    ],
)
def test_which_wheels_are_built(platform, architectures, expected):
    command = [sys.executable, "-m", "cibuildwheel", "--print-build-identifiers", "--platform", platform]
    done = subprocess.run([*command, "--archs", architectures, ROOT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pythons = ("cp311", "cp312", "cp314t")
    assert set(done.stdout.split()) == {f"{python}-{where}" for python in pythons for where in expected}
