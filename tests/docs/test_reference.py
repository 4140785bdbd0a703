"""The generated reference is complete: every public name, command, option, recipe setting and variable is on a page."""

from __future__ import annotations

import dataclasses
import re
from importlib import import_module
from pathlib import Path

import pytest
from scripts import script

import elman
import elman.errors
from elman.cli.tree import leaves
from elman.recipes import Recipe, recipe_names

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="the tests run outside a checkout, without its docs")


@pytest.fixture(scope="module")
def generate():
    with script(DOCS / "generate.py") as module:
        yield module


def test_every_public_name(generate):
    page = generate.api() + generate.errors()
    missing = [name for name in elman.__all__ if not re.search(rf":: elman\.{name}\b", page)]
    for room in generate.rooms():
        names = import_module(f"elman.{room}").__all__
        missing += [f"{room}.{name}" for name in names if not re.search(rf"elman\.{room}\.{name}\b", page)]
    assert not missing
    assert {"text", "kernels", "scoring", "training"} <= set(generate.rooms())


def test_every_command_and_option(generate):
    page = generate.commands()
    commands = {f"elman {leaf.path}": leaf for leaf in leaves()}
    assert {"elman train", "elman score", "elman compress", "elman store get"} <= set(commands)
    for path, leaf in commands.items():
        (section,) = re.findall(rf"(?ms)^## {path}\n(.*?)(?=^## |\Z)", page)
        for each in leaf.parameters:
            assert all(name in section for name in each.names), path


def test_every_error(generate):
    page = generate.errors()
    for name, value in vars(elman.errors).items():
        if isinstance(value, type) and issubclass(value, Exception):
            assert re.search(rf"autoexception:: elman(\.errors)?\.{name}\b", page), name


def test_every_recipe_and_setting(generate):
    page = generate.recipes()
    assert all(f" {name} |" in page for name in recipe_names())
    assert all(f"| `{field.name}` |" in page for field in dataclasses.fields(Recipe))


def test_every_variable_that_the_sources_read(generate):
    sources = [path for ending in ("py", "h", "cpp") for path in (ROOT / "src").rglob(f"*.{ending}")]
    sources = [path for path in sources if path.name != "manual.py"]  # which lists them
    read = {name for path in sources for name in re.findall(r'"(ELMAN_[A-Z_]+)"', path.read_text(encoding="utf-8"))}
    assert "ELMAN_THREADS" in read
    assert read == set(generate.ENVIRONMENT)
    assert all(f"`{name}`" in generate.environment() for name in read)


def test_a_section_for_each_group_and_no_stale_names(generate):
    listed = [name for names in generate.API.values() for name in names]
    assert len(listed) == len(set(listed))
    assert set(listed) <= set(elman.__all__)


def pages() -> list[Path]:
    return [path for path in sorted(DOCS.rglob("*.md")) if "_build" not in path.parts and "generated" not in path.parts]


def test_every_page_is_of_a_kind_and_listed(generate):
    listed, index = generate.llms(DOCS), (DOCS / "index.md").read_text(encoding="utf-8")
    for path in pages():
        name = path.relative_to(DOCS).with_suffix("").as_posix()
        if name != "index":
            assert name.split("/")[0] in generate.KINDS.values(), name
            assert f"({name}.html)" in listed
            assert re.search(rf"^({name}|{name.split('/')[0]}/\*)$", index, re.M), name


def test_links_within_the_repository():
    for path in (*pages(), *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"))):
        text = re.sub(r"```.*?```|^    [^\n]*$", "", path.read_text(encoding="utf-8"), flags=re.S | re.M)
        for target in re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"", text):
            (target,) = filter(None, target)
            if not re.match(r"[a-z]+:|#", target) and "generated/" not in target:
                assert (path.parent / target.partition("#")[0]).exists(), f"{path.name}: {target}"


def test_the_names_of_the_table_of_equivalents():
    text = (DOCS / "reference" / "equivalents.md").read_text(encoding="utf-8")
    for name in re.findall(r"`elman\.(\w+)\(", text):
        assert name in elman.__all__, name
    for name in re.findall(r"`model\.(\w+)\(", text):
        assert hasattr(elman.LanguageModel, name) or name == "generate", name


def test_files_that_pages_name_exist():
    """A path from the root, or the end of one."""
    tracked = [
        f"/{path.relative_to(ROOT).as_posix()}"
        for folder in ("src", "tests", "benchmarks", "notebooks", "docs", "results", "packaging")
        for path in (ROOT / folder).rglob("*.*")
    ]
    for path in (*pages(), ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        if not {"tutorials", "how-to"} & set(path.parts):
            for name in re.findall(
                r"`([\w./-]+\.(?:h|cpp|py|csv|json|md|toml|txt))[:`]", path.read_text(encoding="utf-8")
            ):
                known = (ROOT / name).exists() or any(file.endswith(f"/{name}") for file in tracked)
                assert known or name in MADE, f"{path.name} names {name}"


MADE = {"service.py", "src/elman/kernels/NAME.py", "timemachine.txt", "tokenizer.json"}
"""Files that pages make or are given."""
