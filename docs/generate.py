"""The reference pages that are made from the code: the API, the commands, the recipes, the environment, the errors."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from typer import Context
from typer.main import get_command

import elman
import elman.errors

PACKAGE = Path(elman.__file__).parent
API = {
    "The model": ("RNN", "GRU", "LSTM", "LanguageModel", "QuantisedModel", "load", "save", "quantise"),
    "Texts": ("load_corpus", "Corpus", "Reading", "Vocabulary", "normalise"),
    "Training": ("build_model", "fit", "resume", "Recipe", "load_recipe", "Run"),
    "Generation": ("generate", "stream", "beam_search", "Sampling", "Beam"),
    "Scoring": ("score", "Score", "after"),
    "Compression": ("Codec", "Store"),
    "Errors": ("ElmanError", "InputError", "CorpusError", "ModelFileError", "TrainingDiverged"),
}
"""The public names, by what they are for. A name that is in none is listed at the end, and a test says so."""
ROOMS = (
    "text",
    "corpora",
    "batches",
    "kernels",
    "model",
    "generation",
    "scoring",
    "compression",
    "inspection",
    "pages",
)
"""Submodules whose `__all__` is public too."""
ENVIRONMENT = {
    "ELMAN_DATA": "A folder of texts, where named corpora are looked for before they are downloaded.",
    "ELMAN_THREADS": "How many threads the kernel uses; one for each core of this process if unset.",
    "ELMAN_ISA": "The instruction set of the float kernel: portable, avx2, avx512 or neon; the best one if unset.",
    "ELMAN_INTEGER_ISA": "The same of the integer kernel: portable, avx2, avxvnni, avx512vnni, neon or neondot.",
    "ELMAN_BACKEND": "cpu, the native kernel, or reference, its definition in NumPy; cpu where it is built, if unset.",
}
"""What the package reads from the environment."""


def write_all(folder: Path) -> None:
    """Write every page into `folder`; unchanged ones are left alone, so that a build can be repeated quickly."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {
        "api": api(),
        "commands": commands(),
        "recipes": recipes(),
        "environment": environment(),
        "errors": errors(),
    }
    for name, text in pages.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


# --- the API ---


def api() -> str:
    """A section for each group of public names, then one for each submodule."""
    parts = ["# Python API\n\nEvery name here is `elman.NAME`; it is imported when it is first used.\n"]
    for title, names in API.items():
        parts.append(f"## {title}\n")
        parts += [_directive("elman", name, getattr(elman, name)) for name in names if hasattr(elman, name)]
    rest = sorted(set(elman.__all__) - {name for names in API.values() for name in names})
    if rest:
        parts.append("## Others\n")
        parts += [_directive("elman", name, getattr(elman, name)) for name in rest]
    parts.append("## Submodules\n\nFor those who build on parts of the package.\n")
    for room in ROOMS:
        module = import_module(f"elman.{room}")
        parts.append(f"### elman.{room}\n\n{_first_sentence(module.__doc__)}\n")
        for name in sorted(set(getattr(module, "__all__", ())) - set(elman.__all__)):
            value = getattr(module, name)
            if inspect.isclass(value) or inspect.isfunction(value):
                parts.append(_directive(f"elman.{room}", name, value))
    return "\n".join(parts)


def _directive(module: str, name: str, value: Any) -> str:
    if inspect.isclass(value):
        kind, options = "autoclass", "\n:members:"
    elif inspect.isfunction(value):
        kind, options = "autofunction", ""
    else:
        kind, options = "autodata", "\n:no-value:"
    return f"```{{eval-rst}}\n.. {kind}:: {module}.{name}{options.replace(chr(10), chr(10) + '   ')}\n```\n"


def _first_sentence(doc: str | None) -> str:
    return " ".join((doc or "").split("\n\n")[0].split())


# --- the commands ---


def commands() -> str:
    """A section for each command: what it does, its arguments, its options with their defaults."""
    from elman.cli import app

    root = get_command(app)
    parts = ["# Commands\n\n`elman COMMAND --help` prints the same in a terminal.\n"]
    for path, command in _walk(root, "elman"):
        parts.append(_command(path, command))
    return "\n".join(parts)


def _walk(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    context = Context(command)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        if inner.hidden:
            continue
        if hasattr(inner, "list_commands"):
            yield from _walk(inner, f"{path} {name}")
        else:
            yield f"{path} {name}", inner


def _command(path: str, command: Any) -> str:
    context = Context(command, info_name=path)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    help = inspect.cleandoc(command.help or "")
    rows = []
    for parameter in command.params:
        if getattr(parameter, "hidden", False):
            continue
        record = parameter.get_help_record(context)
        if record and parameter.name != "help":
            names, text = record
            rows.append(f"| `{_cell(names)}` | {_cell(text)} |")
    table = "\n".join(["| | |", "|---|---|", *rows]) if rows else ""
    return f"## {path}\n\n```text\n{usage}\n```\n\n{_prose(help)}\n\n{table}\n"


def _prose(text: str) -> str:
    """A help text, whose examples are commands."""
    return re.sub(r"(?m)^(Examples?):\s*(.*)$", lambda m: f"{m[1]}: `{m[2].strip()}`", text).replace("<", "&lt;")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


# --- recipes, environment, errors ---


def recipes() -> str:
    """A column for each packaged recipe, a row for each setting in which some differ; then what each setting means."""
    from elman.recipes import Recipe, load_recipe, recipe_names

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
    rows = "\n".join(f"| `{name}` | {text} |" for name, text in ENVIRONMENT.items())
    return f"# Environment variables\n\n| variable | what it does |\n|---|---|\n{rows}\n"


def errors() -> str:
    """The tree of exceptions, as the module that defines it draws it."""
    return f"# Errors\n\n```text\n{inspect.cleandoc(elman.errors.__doc__ or '')}\n```\n"
