"""What the pages name exists: files of the project, tests, and the functions of a header or a test file."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "RELEASE.md")]
WALKS = {"add-a-cell.md", "add-a-kernel.md", "add-an-optimiser.md"}
"""Pages that name what their reader is about to write."""
pytestmark = pytest.mark.skipif(not PAGES[0].is_file(), reason="the tests run outside a checkout, without its pages")


def sources() -> dict[str, list[Path]]:
    """Files of code by name."""
    found: dict[str, list[Path]] = {}
    for folder in ("src", "tests", "benchmarks", "packaging", "docs"):
        for path in (ROOT / folder).rglob("*.*"):
            if "_build" not in path.parts and path.is_file():
                found.setdefault(path.name, []).append(path)
    return found


def test_files_and_functions_that_pages_name_exist():
    files, lost, seen = sources(), list[str](), 0
    for page in [*PAGES, *sorted((ROOT / "docs").rglob("*.md"))]:
        if {"_build", "generated"} & set(page.parts) or page.name in WALKS:
            continue
        text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
        for name in re.findall(r"`([\w./-]+\.(?:h|cpp))`|`((?:src|tests|benchmarks|packaging)/[\w./-]+\.\w+)`", text):
            (path,) = filter(None, name)
            seen += 1
            if not any(str(each).endswith("/" + path) for each in files.get(path.rsplit("/", 1)[-1], [])):
                lost.append(f"{page.name}: no file {path}")
        pairs = [(header, names) for header, names in re.findall(r"`(\w+\.h)`: ((?:`\w+`(?:, )?)+)", text)]
        pairs += [(header, name) for name, header in re.findall(r"`(\w+)`[^`.|;]{1,4}`(\w+\.h)`", text)]
        pairs += [(file, name) for name, file in re.findall(r"`(test_\w+)` in\s+`(?:[\w/]+/)?(test_\w+\.py)`", text)]
        for header, names in pairs:
            contents = [path.read_text(encoding="utf-8") for path in files.get(header, [])]
            for name in re.findall(r"\w+", names):
                seen += 1
                if not any(re.search(rf"\b{name}\b", content) for content in contents):
                    lost.append(f"{page.name}: no {name} in {header}")
    assert seen > 60
    assert not lost, "; ".join(lost)


def test_extras_that_pages_and_messages_name_exist():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    files = [*PAGES, *(ROOT / "docs").rglob("*.md"), *(ROOT / "src").rglob("*.py")]
    named = [extra for file in files for extra in re.findall(r"elman\[([\w,-]+)\]", file.read_text(encoding="utf-8"))]
    assert len(named) > 15
    assert {each for extra in named for each in extra.split(",")} <= set(project["optional-dependencies"])
