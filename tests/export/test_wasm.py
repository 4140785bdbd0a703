"""The kernel for WebAssembly that the package holds is what the pinned compiler makes of these sources."""

from __future__ import annotations

import gzip
import os
import shlex
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from elman import __version__

SCRIPT = Path(__file__).parents[2] / "packaging" / "wasm.sh"
NAMES = ("elman.wasm", "elman-subwords.wasm", "elman-floats.wasm", "elman-relaxed.wasm")


def packaged(name: str) -> bytes:
    return gzip.decompress((files("elman.export") / "web" / f"{name}.gz").read_bytes())


@pytest.mark.slow
def test_the_compiler_makes_these_bytes(tmp_path):
    """Elsewhere than `make wasm` does, in another folder and language: neither may be in the module."""
    compiler = shlex.split(os.environ.get("ELMAN_WASM_COMPILER", ""))
    if not compiler:
        pytest.skip("it takes Zig and a minute: make test-wasm")
    if not SCRIPT.is_file():
        pytest.skip("the tests run outside a checkout, without the kernel's source")
    made = tmp_path / "a folder"
    made.mkdir()
    done = subprocess.run(
        [SCRIPT, made, tmp_path / "objects", *compiler],
        cwd=tmp_path,
        env=os.environ | {"LC_ALL": "C", "TZ": "Asia/Tokyo"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    changed = [name for name in NAMES if gzip.decompress((made / f"{name}.gz").read_bytes()) != packaged(name)]
    assert not changed, f"{changed}: the kernel's sources have changed since they were made: run make wasm"


def sections(module: bytes) -> list[int]:
    """The number of each section of a module (WebAssembly core specification, 5.5.2)."""
    at, found = 8, []
    while at < len(module):
        found.append(module[at])
        at, size, shift = at + 1, 0, 0
        while module[at] & 0x80:
            size |= (module[at] & 0x7F) << shift
            at, shift = at + 1, shift + 7
        at += 1 + (size | module[at] << shift)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_they_are_of_this_version(name):
    assert f"\0{__version__}\0".encode() in packaged(name), "run make wasm"


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_the_machine_is_in_them(name):
    module = packaged(name)
    assert module[:8] == b"\0asm\x01\0\0\0"
    assert 0 not in sections(module)  # no custom section: names, producers, sources
    root = os.fsencode(SCRIPT.parents[1])
    for path in (root, b"/home/", b"/tmp/", b"/usr/", b".cpp", b"site-packages"):
        assert path not in module
