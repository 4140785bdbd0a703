"""packaging/listed.py: a row for each wheel and system; and what an installation takes."""

from __future__ import annotations

import csv
import importlib.metadata
import importlib.util
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scripts import script

import elman

SCRIPT = Path(__file__).parents[2] / "packaging" / "listed.py"
TOLD = {
    "python": "3.12.1 (Linux x86_64)",
    "kernel": "cpu (avx2, 2 threads)",
    "checked": [
        {"kernel": "floats", "isa": "portable", "threads": 1, "count": 29, "wrong": []},
        {"kernel": "integers", "isa": "avx2", "threads": 1, "count": 30, "wrong": []},
        {"kernel": "coder", "isa": "plain", "threads": 1, "count": 4, "wrong": []},
    ],
}


@pytest.fixture
def listed(tmp_path, monkeypatch) -> Any:
    if not SCRIPT.is_file():
        pytest.skip("the tests run outside a checkout")
    with script(SCRIPT) as module:
        monkeypatch.setattr(module, "RESULTS", tmp_path / "wheels.csv")
        yield module


def rows(listed) -> list[list[str]]:
    with listed.RESULTS.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


def test_a_row_for_each_wheel_and_system(listed, tmp_path, monkeypatch):
    wheel = tmp_path / "elman-1-cp312-abi3-linux.whl"
    wheel.write_bytes(bytes(5))
    listed.put(wheel, "this machine", "188 digests equal", "abi3audit", alone=True)
    listed.put_tested(wheel, TOLD)
    tested = [
        wheel.name,
        "5",
        "Python 3.12.1",
        "installed; self-test: 63 results equal with portable, avx2",
        "abi3audit",
        listed.kernel(),
    ]
    assert rows(listed) == [tested, [wheel.name, "5", "this machine", "188 digests equal", "abi3audit", tested[-1]]]
    wheel.write_bytes(bytes(6))
    monkeypatch.setattr(listed, "kernel", lambda: "another")
    listed.put(wheel, "this machine", "189 digests equal", alone=True)
    assert rows(listed) == [[wheel.name, "6", "this machine", "189 digests equal", "abi3audit", "another"]]


def test_another_kernel_has_another_digest(listed, tmp_path, monkeypatch):
    source = tmp_path / "src" / "native" / "float" / "step.cpp"
    source.parent.mkdir(parents=True)
    digests = []
    for text in ("", "a change"):
        (tmp_path / "CMakeLists.txt").write_text("project(elman)")
        source.write_text(text)
        monkeypatch.setattr(listed, "ROOT", tmp_path)
        digests.append(listed.kernel())
    assert len({*digests, ""}) == 3
    assert [len(digest) for digest in digests] == [8, 8]


@pytest.mark.parametrize("key", ["kernel", "checked"])
def test_a_failed_test_is_not_listed(listed, tmp_path, key):
    wrong = {"kernel": "numpy", "checked": [TOLD["checked"][0] | {"wrong": ["a digest"]}]}
    with pytest.raises(AssertionError):
        listed.put_tested(tmp_path, TOLD | {key: wrong[key]})
    assert not listed.RESULTS.exists()


def names(requirements: list[str] | None) -> list[str]:
    """What is required here without extras."""
    kept = [line for line in requirements or () if ";" not in line or not re.search("extra|win32|Windows", line)]
    return [re.split(r"[^\w.-]", line)[0].lower().replace("_", "-") for line in kept]


@pytest.mark.skipif(np.__version__.startswith("1."), reason="NumPy 1.26 is larger than what is installed today")
def test_an_installation_takes_at_most_75_mb():
    """All that elman needs without extras, and itself, before Python compiles it; `packaging/size.sh` installs it."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    needed, sizes = names(project["dependencies"]), {}
    while needed:
        name = needed.pop()
        if name not in sizes:
            found = importlib.metadata.distribution(name)
            kept = [file for file in found.files or () if file.suffix != ".pyc"]
            sizes[name] = sum(file.size or Path(str(found.locate_file(file))).stat().st_size for file in kept)
            needed += names(found.requires)
    package = {path for path in Path(elman.__file__).parent.rglob("*") if path.suffix != ".pyc"}
    if kernel := importlib.util.find_spec("elman.kernels._cpu"):  # not beside the sources
        package.add(Path(str(kernel.origin)))
    sizes["elman"] = sum(path.stat().st_size for path in package if path.is_file())
    assert {"elman", "numpy", "typer", "rich", "prompt-toolkit"} <= set(sizes)
    assert sum(sizes.values()) <= 75_000_000, {name: f"{size / 1e6:.1f} MB" for name, size in sizes.items()}
