"""Names that have moved: old names go on for one minor version, with a DeprecationWarning that says the new one.

To move something, add it to one of the two tables; a function that goes without a successor of its kind gets
`deprecated`. A module with names or submodules in one
of them has `__getattr__ = moved.names(__name__)`.
"""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")

MODULES = {
    "elman.compression.rivals": "elman.coders.rivals",
    "elman.inspection.memorisation": "elman.inspection.memorised",
    "elman.inspection.nearest": "elman.inspection.neighbours",
    "elman.inspection.units": "elman.inspection.hidden_units",
    "elman.model.extend": "elman.model.extension",
    "elman.model.quantise": "elman.model.quantisation",
    "elman.pages.page": "elman.pages.document",
    "elman.scoring.after": "elman.scoring.next_tokens",
    "elman.scoring.baselines": "elman.scoring.compressors",
    "elman.scoring.compare": "elman.scoring.comparison",
    "elman.scoring.score": "elman.scoring.scores",
    "elman.scoring.words": "elman.scoring.word_costs",
    "elman.training.checkpoint": "elman.runs.checkpoint",
    "elman.training.coder": "elman.coders.train",
    "elman.training.curve": "elman.runs.curve",
    "elman.training.events": "elman.runs.events",
    "elman.training.lock": "elman.runs.lock",
    "elman.training.origin": "elman.runs.origin",
    "elman.training.parallel": "elman.parallel.group",
    "elman.training.recipe": "elman.recipes.recipe",
    "elman.training.records": "elman.runs.summary",
    "elman.training.run": "elman.runs.log",
    "elman.training.saver": "elman.runs.saver",
    "elman.training.shards": "elman.parallel.shards",
    "elman.training.svg": "elman.runs.svg",
}
"""Modules: old path -> new path. They go with version 0.3."""

NAMES = {
    "elman.kernels": {"Network": "elman.kernels:ModelWeights", "Weights": "elman.kernels:LayerWeights"},
    "elman.kernels.integer": {
        "Layer": "elman.kernels.integer:IntegerLayer",
        "Network": "elman.kernels.integer:IntegerWeights",
        "State": "elman.kernels.integer:IntegerState",
    },
    "elman.inspection": {"write": "elman.inspection:sample"},
    "elman.model.quantised": {"quantise": "elman.model"},
    "elman.pages": {"Layer": "elman.pages:Overlay"},
    "elman.text": {"Decoder": "elman.text:TextDecoder"},
    "elman.training": {
        "Checkpoint": "elman.runs",
        "Epoch": "elman.runs",
        "Recipe": "elman.recipes",
        "Run": "elman.runs",
        "Step": "elman.runs",
        "TrainedCoder": "elman.coders",
        "load_recipe": "elman.recipes",
        "read_checkpoint": "elman.runs",
        "recipe_names": "elman.recipes",
        "train_coder": "elman.coders",
    },
}
"""Names of modules that are still there: module -> name -> the module that has it now, or "module:its new name"."""


def names(module: str, lazy: Mapping[str, str] | None = None) -> Callable[[str], Any]:
    """A module's `__getattr__`: its old names, its old submodules, and the names in `lazy`, name -> relative module."""

    def get(name: str) -> Any:
        if lazy and name in lazy:
            return getattr(import_module(lazy[name], module), name)
        old = f"{module}.{name}"
        if old in MODULES:
            _warn(old, MODULES[old])
            return import_module(MODULES[old])
        if name not in NAMES.get(module, ()):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        place, _, new = NAMES[module][name].partition(":")
        _warn(old, f"{place}.{new or name}")
        return getattr(import_module(place), new or name)

    return get


def deprecated(instead: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Mark a function or method that goes with the next minor version: calls of it warn.

    Args:
        instead: what to use, as in "use elman.score".
    """

    def mark(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def warning(*args: P.args, **kwargs: P.kwargs) -> R:
            text = f"{function.__module__}.{function.__qualname__} is deprecated; {instead}"
            warnings.warn(text, DeprecationWarning, stacklevel=2)
            return function(*args, **kwargs)

        return warning

    return mark


def _warn(old: str, new: str) -> None:
    """Warns whoever reads the attribute or imports the module; frames of the import system do not count."""
    warnings.warn(f"{old} has moved to {new}", DeprecationWarning, stacklevel=3)


class _Finder:
    """Finds a module by its old path, and loads the one that has its place."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        return ModuleSpec(name, cast(Any, _Loader())) if name in MODULES else None


class _Loader:
    """Gives the module itself, not a copy, so its classes stay one."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        _warn(spec.name, MODULES[spec.name])
        module = import_module(MODULES[spec.name])
        room, _, name = spec.name.rpartition(".")
        if name in vars(sys.modules[room]):
            sys.modules[room].__class__ = _Room
        self._spec, self._loader = module.__spec__, module.__loader__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__, module.__loader__ = self._spec, self._loader  # import has set the old path's


class _Room(ModuleType):
    """A room one of whose functions has a former module's name: importing the old path must not hide the function."""

    def __setattr__(self, name: str, value: Any) -> None:
        former = isinstance(value, ModuleType) and f"{self.__name__}.{name}" in MODULES
        if not (former and name in vars(self)):
            super().__setattr__(name, value)


def install() -> None:
    """Let imports find the old paths; once."""
    if not any(found is _Finder for found in sys.meta_path):
        sys.meta_path.insert(0, cast(Any, _Finder))  # first: an editable install may still know the old path
