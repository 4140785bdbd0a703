"""The public face: what `elman` gives is what its stub says, and names that moved go on with a warning."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest
from extras import imported

import elman
from elman import moved

STUB = ast.parse(Path(elman.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))


def test_the_stub_is_fresh():
    names = {
        alias.name: f"elman.{node.module}"
        for node in STUB.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name == alias.asname
    }
    assert sorted(names) == elman.__all__
    for name, module in names.items():
        assert getattr(importlib.import_module(module), name) is getattr(elman, name)
    (listed,) = (ast.literal_eval(node.value) for node in STUB.body if _assigns(node, "__all__"))  # type: ignore[attr-defined]
    assert listed == elman.__all__


def test_aliases():
    aliases = {
        node.targets[0].id: node.value.id  # type: ignore[attr-defined]
        for node in STUB.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name)
    }
    assert aliases == {"normalize": "normalise", "quantize": "quantise"}
    for alias, name in aliases.items():
        assert getattr(elman, alias) is getattr(elman, name)
    assert set(dir(elman)) == {*elman.__all__, *aliases}


def _assigns(node: ast.stmt, name: str) -> bool:
    return isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name


@pytest.mark.parametrize("old", moved.MODULES)
def test_old_modules_are_the_new_ones(old):
    new = imported(moved.MODULES[old])
    if new is None:
        pytest.skip(f"{moved.MODULES[old]} needs an extra that is not installed")
    parent, _, name = old.rpartition(".")
    room, spec = importlib.import_module(parent), new.__spec__
    function = vars(room).get(name) if name in getattr(room, "__all__", ()) else None
    sys.modules.pop(old, None)
    with pytest.warns(DeprecationWarning, match=f"^{old} has moved to {new.__name__}$") as caught:
        assert importlib.import_module(old) is new
    assert len(caught) == 1
    assert new.__spec__ is spec
    sys.modules.pop(old)
    if function:
        assert getattr(room, name) is function, "an import of the old module hides the function of that name"
        return
    vars(room).pop(name)
    with pytest.warns(DeprecationWarning, match=f"^{old} has moved to {new.__name__}$") as caught:
        assert getattr(room, name) is new
    assert caught[0].filename == __file__


@pytest.mark.parametrize(("module", "name"), [(m, n) for m, names in moved.NAMES.items() for n in names])
def test_old_names_are_the_new_ones(module, name):
    place, _, new = moved.NAMES[module][name].partition(":")
    with pytest.warns(DeprecationWarning, match=f"^{module}.{name} has moved to {place}.{new or name}$") as caught:
        found = getattr(importlib.import_module(module), name)
    assert found is getattr(importlib.import_module(place), new or name)
    assert caught[0].filename == __file__


def test_the_warning_names_the_line_that_imports():
    code = "import elman\nfrom elman.training.recipe import Recipe\nfrom elman.training import load_recipe\n"
    done = subprocess.run(
        [sys.executable, "-W", "always::DeprecationWarning", "-c", code], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    lines = {line for line in done.stderr.splitlines() if line.startswith("<string>")}
    assert lines == {
        "<string>:2: DeprecationWarning: elman.training.recipe has moved to elman.recipes.recipe",
        "<string>:3: DeprecationWarning: elman.training.load_recipe has moved to elman.recipes.load_recipe",
    }


def test_a_deprecated_function_warns_its_caller_and_works():
    @moved.deprecated("use elman.score")
    def cost(x: int, *, twice: bool = False) -> int:
        """Cost of x."""
        return 2 * x if twice else x

    with pytest.warns(DeprecationWarning, match=r"^test_public\..*cost is deprecated; use elman\.score$") as caught:
        assert cost(3, twice=True) == 6
    assert [each.filename for each in caught] == [__file__]
    assert cost.__doc__ == "Cost of x."


def test_the_version_is_written_once():
    root = Path(__file__).parents[1]
    version = re.compile(rf"^version:? *=? *[\"']?{re.escape(elman.__version__)}", re.M)
    files = [root / name for name in ("pyproject.toml", "CITATION.cff", "CMakeLists.txt")]
    found = [path.name for path in files if path.is_file() and version.search(path.read_text(encoding="utf-8"))]
    assert found == []
    assert importlib.metadata.version("elman") == elman.__version__


def test_unknown_names_are_refused():
    for module in (elman, importlib.import_module("elman.training"), importlib.import_module("elman.compression")):
        with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
            getattr(module, "nothing")  # noqa: B009
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("elman.training.nothing")


def test_no_function_has_the_name_of_its_module():
    for found in pkgutil.iter_modules(elman.__path__, "elman."):
        if not found.ispkg or found.name in ("elman.torch", "elman.cli"):
            continue
        room = importlib.import_module(found.name)
        modules = {module.name for module in pkgutil.iter_modules(room.__path__)}
        assert not modules & set(getattr(room, "__all__", ())), f"{found.name}: an import of the one hides the other"
