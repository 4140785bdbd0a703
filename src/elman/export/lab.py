"""A page that trains: one HTML file with the kernel as WebAssembly, a story and recipes; it makes no request."""

from __future__ import annotations

import dataclasses
from importlib import resources

from .. import __version__
from ..corpora import load_corpus
from ..recipes import load_recipe
from .c import LICENCE
from .html import POLICY, WEB, constant, deflated, filled, inlined, wasm

RECIPES = ("book", "modern")
"""The packaged recipes that a page trains by: of one text's characters."""


def to_lab() -> str:
    """The page; `window.elman.train` is for programs.

    It trains with the bits of `fit`, on any text, and gives the model file that `load` takes.
    """
    story = load_corpus("traveller", normalisation="none").text
    constants = {
        "ABOUT": {"elman": __version__, "licence": LICENCE},
        "RECIPES": {name: dataclasses.asdict(load_recipe(name)) for name in RECIPES},
        "STORY": str(story),
        "FLOATS": deflated(wasm("elman-floats")),
        "RELAXED": deflated(wasm("elman-relaxed")),
        "WORKER": inlined("engine.js", "relaxed.js", "safetensors.js", "training.js", "lab_worker.js"),
    }
    script = [constant(name, value) for name, value in constants.items()]
    style = (resources.files("elman.pages") / "playground.css").read_text(encoding="utf-8")
    page = (WEB / "lab.html").read_text("utf-8")
    parts = {
        "<!--POLICY-->": POLICY.format("; worker-src blob:"),
        "/*STYLE*/": style + (WEB / "lab.css").read_text("utf-8"),
        "/*SCRIPT*/": "\n".join([*script, (WEB / "lab.js").read_text("utf-8")]),
    }
    return filled(page, parts)
