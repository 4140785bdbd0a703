"""The tree of errors is whole, and a message names settings that the command words as its options."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator

import pytest

import elman
from elman import errors
from elman.errors import ElmanError, InputError, WorkerLost


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
            importlib.import_module(module.name)
    drawn = re.findall(r"[├└]── (\w+)|^    (ElmanError)$", errors.__doc__ or "", re.M)
    assert {a or b for a, b in drawn} == {kind.__name__ for kind in {ElmanError, *subclasses(ElmanError)}}
    assert all(kind.__module__ == "elman.errors" for kind in subclasses(ElmanError))
