"""A docstring begins with its subject or its verb: a noun, or what the function does."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import elman

PACKAGE = Path(elman.__file__).parent
HABITS = re.compile(r"(Of|As|For|In|To|With|From|By|Where|What|The same|Those|That)\b")
"""Beginnings that leave the subject to be guessed, such as "Of the last step." """


def docstrings() -> Iterator[tuple[str, str]]:
    """Place and text of every string that is a statement: docstrings, and those below an attribute."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for each in getattr(node, "body", []) if not isinstance(node, ast.Lambda | ast.IfExp) else []:
                match each:
                    case ast.Expr(value=ast.Constant(value=str() as text)):
                        yield f"{path.relative_to(PACKAGE).as_posix()}:{each.lineno}", text.strip()


def test_a_docstring_begins_with_its_subject_or_verb():
    found = dict(docstrings())
    assert len(found) > 1000
    assert not {place: text.split("\n")[0] for place, text in found.items() if HABITS.match(text)}


def test_no_mark_of_docstrings_is_left_open():
    """The site reads an asterisk, a bar or a backquote as markup that begins, and refuses what does not end."""
    opened = re.compile(r"(?<![\w*\\])[*|](?=[\w(])|`|\w_(?=[\s.,;:)]|$)")
    found = {
        f"{path.relative_to(PACKAGE)}: {node.name}": text
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
        for text in [re.sub(r"`[^`]*`", "", ast.get_docstring(node) or "")]
    }
    assert len(found) > 1000
    assert not {place: text for place, text in found.items() if opened.search(text)}
