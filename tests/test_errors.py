"""The tree of errors is whole, and a message names settings that the command words as its options."""

from __future__ import annotations

import ast
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from extras import imported

import elman
from elman import errors
from elman.errors import ElmanError, InputError, WorkerLost

SETTINGS = {field.name for field in fields(elman.Recipe)} | {
    "corpus", "encoding", "encoding_errors", "field", "minutes", "records", "workers",
}  # fmt: skip


def option(name: str) -> str:
    return "--" + name.replace("_", "-")


@pytest.mark.parametrize(
    ("text", "setting", "worded"),
    [
        ("encoding_errors must be strict", "encoding_errors", "--encoding-errors must be strict"),
        ("bytes have no encoding; leave out `encoding`", "encoding", "bytes have no encoding; leave out --encoding"),
        ("give `a_b` or `c`, not `d`", ("a_b", "c"), "give --a-b or --c, not `d`"),
        ("encodings: `encoding`", "encoding", "encodings: --encoding"),
        ("`get` reads \\1 {x}", (), "`get` reads \\1 {x}"),
    ],
)
def test_settings_are_worded_where_they_are_named(text, setting, worded):
    error = InputError(text, setting=setting)
    assert str(error) == text
    assert error.worded(option) == worded


def test_a_lost_worker_names_the_setting_that_goes_on():
    assert "go on with --resume" in WorkerLost("go on with `resume`", setting="resume").worded(option)


def subclasses(kind: type) -> Iterator[type]:
    for inner in kind.__subclasses__():
        yield inner
        yield from subclasses(inner)


def test_the_tree_is_whole():
    for module in pkgutil.walk_packages(elman.__path__, "elman."):
        if not module.name.startswith(("elman.torch", "elman.__main__", "elman.cli.__main__")):
            imported(module.name)
    drawn = re.findall(r"[├└]── (\w+)|^    (ElmanError)$", errors.__doc__ or "", re.M)
    assert {a or b for a, b in drawn} == {kind.__name__ for kind in {ElmanError, *subclasses(ElmanError)}}
    assert all(kind.__module__ == "elman.errors" for kind in subclasses(ElmanError))


def test_the_library_does_not_speak_the_commands_options():
    """A message names a setting in backquotes, which the command words. Docstrings may name an option, and so may C."""
    package, found = Path(elman.__file__).parent, []
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package).as_posix()
        if name.startswith("cli/"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and id(node) not in prose
                and "#error" not in node.value
            ):
                found += [
                    f"{name}:{node.lineno} {option}" for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", node.value)
                ]
    assert found == []


def test_settings_in_backquotes_are_declared():
    """Else the command could not word them."""
    package = Path(elman.__file__).parent
    for path in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "").endswith("Error") and node.args:
                text = ast.unparse(node.args[0])
                named = {name for name in re.findall(r"`([a-z_]+)`", text) if name in SETTINGS}
                declared = " ".join(ast.unparse(keyword.value) for keyword in node.keywords if keyword.arg == "setting")
                assert all(f"'{name}'" in declared for name in named), f"{path.name}:{node.lineno} {text}"
