"""packaging/cross.py: its targets are the platforms of the page, and a module that loads too much is refused."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any

import pytest
from scripts import script

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "packaging" / "cross.py"
pytestmark = pytest.mark.skipif(not SCRIPT.is_file(), reason="the tests run outside a checkout")


@pytest.fixture(scope="module")
def cross() -> Any:
    with script(SCRIPT) as module:
        yield module


def test_the_page_lists_every_target(cross):
    page = (ROOT / "docs" / "reference" / "platforms.md").read_text(encoding="utf-8")
    for name, target in cross.TARGETS.items():
        assert f"`{target.tag}`" in page, name


def mach_o(folder: Path, *libraries: str) -> Path:
    """A 64-bit Mach-O of load commands alone: LC_UUID, then one LC_LOAD_DYLIB for each library."""
    commands = [struct.pack("<II16x", 0x1B, 24)]
    for name in libraries:
        text = name.encode() + bytes(8 - len(name) % 8)
        commands.append(struct.pack("<IIIIII", 0xC, 24 + len(text), 24, 0, 0, 0) + text)
    module = folder / "_cpu.so"
    module.write_bytes(struct.pack("<IIIIIIII", 0xFEEDFACF, 0, 0, 8, len(commands), 0, 0, 0) + b"".join(commands))
    return module


def test_libraries_of_a_mach_o(cross, tmp_path):
    mac = cross.TARGETS["macos-arm64"]
    system = "/usr/lib/libSystem.B.dylib"
    assert cross.inspect(mach_o(tmp_path, system), mac) == f"loads {system}"
    with pytest.raises(cross.Failed, match=r"loads /opt/lib/libfoo\.dylib$"):
        cross.inspect(mach_o(tmp_path, system, "/opt/lib/libfoo.dylib"), mac)


def test_libraries_of_this_machines_module(cross):
    pytest.importorskip("elftools", reason="pyelftools is not installed")
    cpu = pytest.importorskip("elman.kernels._cpu")
    names, glibc = cross.loaded(Path(cpu.__file__), cross.TARGETS["manylinux-x86_64"])
    assert any(name.startswith("libc.so") for name in names)
    assert tuple(map(int, glibc.split("."))) > (2, 0)


def test_a_command_that_fails_says_why(cross):
    with pytest.raises(cross.Failed, match=r"ended with status 3\n.*no such thing"):
        cross.sh(sys.executable, "-c", "import sys; print('no such thing'); sys.exit(3)")
