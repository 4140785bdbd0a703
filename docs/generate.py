"""The reference pages that are made from the code: the API, the commands, the recipes, the environment, the errors."""

from __future__ import annotations

import dataclasses
import inspect
import pkgutil
import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import elman
import elman.errors
from elman.cli.manual import ENVIRONMENT, STATUS
from elman.cli.tree import Leaf, leaves
from elman.recipes import Recipe, load_recipe, recipe_names

API = {
    "The model": ("RNN", "GRU", "LSTM", "LanguageModel", "QuantisedModel", "load", "save", "quantise"),
    "Texts": ("load_corpus", "Corpus", "Reading", "Vocabulary", "normalise"),
    "Training": ("build_model", "fit", "resume", "Recipe", "load_recipe", "Run"),
    "Generation": ("generate", "stream", "beam_search", "Sampling", "Beam"),
    "Scoring": ("score", "Score", "after"),
    "Typing": ("Typist",),
    "Compression": ("Codec", "Store"),
}
"""The public names, by what they are for. Errors have a page; a name that is in no group is listed under "More"."""
EXTRAS = {"torch": "torch", "serving": "starlette"}
"""Rooms that need an extra, and a package of it."""
OTHERS = {
    "RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT, LOCAL_WORLD_SIZE": "Set by torchrun and other launchers: who shares a "
    "training, and where they meet.",
    "HOME, XDG_CACHE_HOME": "Where the cache is (`elman cache` says where and how large).",
    "NO_COLOR, FORCE_COLOR, COLUMNS": "Colour and width of what is printed.",
}
"""Variables of others that the package heeds."""


def write_all(folder: Path) -> None:
    """Write every page into `folder`; unchanged ones are left alone, so a repeated build is quick."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
    (folder / "llms.txt").write_text(llms(folder.parents[1]), "utf-8")


def pages() -> dict[str, str]:
    """Each page's name and text."""
    return {
        "api": api(),
        "commands": commands(),
        "recipes": recipes(),
        "environment": environment(),
        "errors": errors(),
    }


ABOUT = """# Elman

> Recurrent language models (RNN, GRU, LSTM over characters, bytes or subwords), a Python package and a command: train,
> generate, score, inspect, quantise and compress text on a CPU, with the same bits on every processor. NumPy arrays and
> a C++ kernel; no command needs torch.

Python: `elman.load_corpus`, `build_model`, `fit`, `generate`, `score`, `save`, `load`. Command: `elman train FILE`,
`elman generate RUN PROMPT`, `elman score RUN FILE`, `elman compress FILE`. `english` names a packaged model.
"""
KINDS = {
    "Tutorials": "tutorials",
    "How to": "how-to",
    "Reference": "reference",
    "Explanation": "explanation",
    "Contributing": "contributing",
}
"""The kinds of pages and their folders."""


def llms(docs: Path) -> str:
    """llms.txt, for language models that read the site: what Elman is, and every page's title and first sentence."""
    parts = [ABOUT]
    for kind, name in KINDS.items():
        paths = sorted((docs / name).rglob("*.md"))
        parts.append(f"## {kind}\n\n" + "\n".join(_listed(path, docs) for path in paths) + "\n")
    return "\n".join(parts)


def _listed(path: Path, docs: Path) -> str:
    title, *paragraphs = path.read_text("utf-8").split("\n\n")
    first = next((_first_line(p) for p in paragraphs if re.match(r"[A-Z`*]", p)), "")
    return f"- [{title.removeprefix('# ')}]({path.relative_to(docs).with_suffix('.html')})" + (
        f": {first}" if first else ""
    )


def _first_line(paragraph: str) -> str:
    """The first sentence, without links."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", " ".join(paragraph.split()))
    return re.split(r"(?<=[.:])\s", text)[0].rstrip(":")


# --- the API ---


def rooms() -> list[str]:
    """The subpackages that list public names, except the command's, and those whose extra is not installed."""
    found = [module.name for module in pkgutil.iter_modules(elman.__path__) if module.ispkg and module.name != "cli"]
    found = [name for name in found if find_spec(EXTRAS.get(name, "elman"))]
    return [name for name in found if getattr(import_module(f"elman.{name}"), "__all__", ())]


def api() -> str:
    """A section for each group of public names, then one for each submodule."""
    parts = ["# Python API\n\nEvery name here is `elman.NAME`; it is imported when it is first used.\n"]
    grouped = {name for names in API.values() for name in names}
    rest = [name for name in sorted(set(elman.__all__) - grouped) if not hasattr(elman.errors, name)]
    for title, names in (API | ({"More": rest} if rest else {})).items():
        parts.append(f"## {title}\n")
        parts += [_directive("elman", name, getattr(elman, name)) for name in names if name in elman.__all__]
    parts.append("## Submodules\n\nFor those who build on parts of the package.\n")
    seen = {id(getattr(elman, name)) for name in elman.__all__}
    for room in rooms():
        module = import_module(f"elman.{room}")
        parts.append(f"### elman.{room}\n\n{_first_sentence(module.__doc__)}\n")
        for name in sorted(module.__all__):
            value = getattr(module, name)
            if id(value) in seen:  # described above, or a small constant
                parts.append(f"`elman.{room}.{name}`\n")
            else:
                seen.add(id(value))
                parts.append(_directive(f"elman.{room}", name, value))
    return "\n".join(parts)


def _directive(module: str, name: str, value: Any) -> str:
    if inspect.isclass(value):
        kind, options = "autoclass", "\n   :members:"
    elif inspect.ismodule(value):
        return f"`{module}.{name}`: {_first_sentence(value.__doc__)}\n"
    elif callable(value):
        kind, options = "autofunction", ""
    else:
        return f"`{module}.{name}`, a {type(value).__name__}\n"
    return f"```{{eval-rst}}\n.. {kind}:: {module}.{name}{options}\n```\n"


def _first_sentence(doc: str | None) -> str:
    return " ".join((doc or "").split("\n\n")[0].split())


# --- the commands ---


def commands() -> str:
    """A section for each command, nested ones too: what it does, its arguments, its options with their defaults."""
    parts = ["# Commands\n\n`elman COMMAND --help` prints the same in a terminal.\n"]
    parts.append(f"**Exit status**: {' '.join(STATUS.split())}\n")
    parts += [_command(leaf) for leaf in leaves()]
    return "\n".join(parts)


def _command(leaf: Leaf) -> str:
    rows = []
    for each in leaf.parameters:
        names = " ".join([", ".join(each.names), each.value]).strip()
        rows.append(f"| `{names}` | {_cell(each.help)} |")
    table = "\n".join(["| argument or option | meaning |", "|---|---|", *rows]) if rows else ""
    return f"## elman {leaf.path}\n\n```text\nelman {leaf.path} {leaf.usage}\n```\n\n{_prose(leaf.help)}\n\n{table}\n"


def _prose(text: str) -> str:
    """A help text with its examples, a line each."""
    prose, _, examples = text.partition("\n\nExample")
    lines = [" ".join(each.split()) for each in examples.partition(":")[2].split(";")]
    block = "\n\n```text\n" + "\n".join(lines) + "\n```" if examples else ""
    return prose.replace("<", "&lt;") + block


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


# --- recipes, environment, errors ---


def recipes() -> str:
    """A column for each packaged recipe, a row for each setting in which some differ; then what each setting means."""
    names = recipe_names()
    loaded = {name: load_recipe(name) for name in names}
    fields = dataclasses.fields(Recipe)
    lines = ["# Recipes\n", "The settings in which the packaged recipes differ.\n"]
    lines += ["| setting | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for field in fields:
        values = [getattr(loaded[name], field.name) for name in names]
        if len(set(map(repr, values))) > 1:
            lines.append(f"| `{field.name}` | " + " | ".join(f"`{_value(v)}`" for v in values) + " |")
    lines += ["\n## Every setting\n", "| setting | the book's | what it means |", "|---|---|---|"]
    for field in fields:
        help = _cell(field.metadata["help"])
        lines.append(f"| `{field.name}` | `{_value(getattr(Recipe(), field.name))}` | {help} |")
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "off" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def environment() -> str:
    """The environment variables that the package reads."""
    parts = ["# Environment variables\n"]
    for table in (ENVIRONMENT, OTHERS):
        rows = [f"| {', '.join(f'`{n}`' for n in names.split(', '))} | {text} |" for names, text in table.items()]
        parts.append("\n".join(["| variable | what it does |", "|---|---|", *rows]) + "\n")
    return "\n".join(parts)


def errors() -> str:
    """The tree of exceptions, as the module that defines it draws it, and each of them."""
    tree = [value for value in vars(elman.errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    parts = [f"# Errors\n\n```text\n{inspect.cleandoc(elman.errors.__doc__ or '')}\n```\n"]
    for value in (value for value in tree if value.__module__ == "elman.errors"):
        home = "elman" if value.__name__ in elman.__all__ else "elman.errors"
        parts.append(f"```{{eval-rst}}\n.. autoexception:: {home}.{value.__name__}\n```\n")
    return "\n".join(parts)
