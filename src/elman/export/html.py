"""A model as one HTML file: the page, the kernel as WebAssembly, and the model, all within; it makes no request."""

from __future__ import annotations

import base64
import html
import json
import re
import zlib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import InputError
from ..model import Model, QuantisedModel, refuse_ngrams
from .c import LICENCE
from .plain import for_javascript

WEB = Path(__file__).parent / "web"
POLICY = (
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline' 'wasm-unsafe-eval'{}\">"
)
"""A page's: it runs its own script, and asks nobody for anything. In the braces, what it may do besides."""
_MORE = (
    '<details><summary>Compress a message</summary><p><label>Message <input id="message" size="40" '
    'value="See you at the station at six."></label></p><p><output id="code" for="message"></output></p></details>'
    "<details><summary>Look at a hidden unit</summary><p>The text above, coloured by what a unit holds: stronger is "
    'larger, underlined is below 0. <label>Layer <input id="layer" type="number" min="1" value="1"></label> '
    '<label>Unit <input id="unit" type="number" min="1" value="1"></label></p><p id="held"></p></details>'
)
_ABOUT = (
    '<details><summary>About this model</summary><table><tbody id="card"></tbody></table>'
    "<p>Everything runs in this page, and nothing is sent to anyone.</p></details>"
)


def to_html(model: QuantisedModel, name: str = "model", card: dict[str, Any] | None = None) -> str:
    """The page to write in, with an engine of WebAssembly; `window.elman` is for programs.

    Args:
        model: of any tokens.
        name: the model's, which is the title.
        card: facts to show beside the model's own, such as where its text came from.
    Raises:
        InputError: a model with n-grams.
    """
    refuse_ngrams(model, "a page")
    facts = {"name": name, "elman": __version__, "digest": model.digest(), "licence": LICENCE} | (card or {})
    pages = resources.files("elman.pages")
    style, page, front = ((pages / f"playground.{kind}").read_text(encoding="utf-8") for kind in ("css", "html", "js"))
    script = [
        constant("CARD", facts),
        constant("MODEL", deflated(for_javascript(model))),
        constant("WASM", deflated(wasm(integer_module(model)))),
        inlined("engine.js", *["subwords.js"] * (model.reading.vocabulary.unit == "token"), "page.js"),
        compact(front),
    ]
    title = html.escape(name)
    parts = {
        "<title>Elman</title>": f"{POLICY.format('')}\n<title>{title}</title>",
        "<h1>Elman</h1>": f"<h1>{title}</h1>",
        "</main>": f"{_MORE}\n{_ABOUT}\n</main>",
        "/*STYLE*/": style,
        "/*SCRIPT*/": "\n".join(script),
    }
    return filled(page, parts)


def constant(name: str, value: Any) -> str:
    """A constant of JavaScript that may stand in an HTML document."""
    return f"const {name} = {json.dumps(value)};".replace("<", "\\u003c")


def filled(page: str, parts: Mapping[str, str]) -> str:
    """The page with each mark, once, replaced by its text."""
    for mark, text in parts.items():
        assert mark in page, mark
        page = page.replace(mark, text, 1)
    return page


def inlined(*names: str) -> str:
    """Modules of JavaScript as one compact script, each after those that it imports."""
    text = "\n".join((WEB / name).read_text("utf-8") for name in names)
    return compact(re.sub(r"^(export |import .*\n)", "", text, flags=re.MULTILINE))


def compact(script: str) -> str:
    """A script without indentation and comments."""
    return re.sub(r"^(\s*(//.*|/\*.*\*/)?\n| +)|(?<=;) // [^\"'`\n]*$", "", script, flags=re.MULTILINE)


def wasm(name: str = "elman") -> bytes:
    """libelman as a module. Raises InputError where it was not built.

    Args:
        name: "elman" for quantised models; "elman-subwords" if their tokens are longer; "elman-floats" for all;
            "elman-relaxed" for all, where relaxed SIMD fuses.
    """
    path = WEB / f"{name}.wasm.gz"
    if not path.exists():
        raise InputError("the WebAssembly module is not there; from a clone, make wasm builds it")
    return zlib.decompress(path.read_bytes(), wbits=31)  # of gzip


def integer_module(model: Model) -> str:
    """Name of the smallest module that serves a quantised model."""
    return "elman-subwords" if model.reading.vocabulary.unit == "token" else "elman"


def deflated(data: bytes) -> str:
    """Base64 of the deflated bytes, for `DecompressionStream("deflate-raw")`."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    return base64.b64encode(squeeze.compress(data) + squeeze.flush()).decode()
