"""Settings lists what a Recipe has. `python tests/recipes/test_settings.py` writes it."""

from __future__ import annotations

import dataclasses
import textwrap
import typing
from pathlib import Path

import elman
from elman.recipes import Recipe

MODULE = Path(elman.__file__).parent / "recipes" / "settings.py"
HEAD = '''"""The settings of a Recipe as keyword arguments, for editors and type checkers.

Made from `recipe.py` by tests/recipes/test_settings.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict


class Settings(TypedDict, total=False):
    """Changes to a recipe, as `fit` and `build_model` take them."""

'''


def generated() -> str:
    lines = [HEAD]
    for field in dataclasses.fields(Recipe):
        kind, choices = str(field.type), field.metadata["choices"]
        if choices:
            named = ", ".join(f'"{choice}"' for choice in choices)
            kind = f"Literal[{named}]"
        kind = kind.replace("tuple[str, ...]", "Sequence[str]")
        lines.append(f"    {field.name}: {kind}\n")
        lines.append(textwrap.indent(_docstring(field.metadata["help"]), "    "))
    return "".join(lines)


def _docstring(text: str) -> str:
    """`text` as the formatter leaves it."""
    one_line = f'"""{text}"""'
    if len(one_line) <= 116:
        return one_line + "\n"
    return '"""' + textwrap.fill(text, 112) + '\n"""\n'


def test_the_settings_are_the_recipes():
    assert MODULE.read_text(encoding="utf-8") == generated()


def test_every_setting_is_a_keyword_of_fit_and_build_model():
    from elman.recipes.settings import Settings

    assert set(Settings.__annotations__) == {field.name for field in dataclasses.fields(Recipe)}
    for function in (elman.fit, elman.build_model):
        assert function.__annotations__["settings"] == "Unpack[Settings]"
    assert typing.is_typeddict(Settings)


if __name__ == "__main__":
    MODULE.write_text(generated(), encoding="utf-8")
