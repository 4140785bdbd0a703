"""Playground: the page to write in, as one HTML document: its text is coloured as one types."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources


@cache
def playground_page(engine: str = "playground_http.js", connect: str = "connect-src 'self'") -> tuple[str, str]:
    """The document and its Content-Security-Policy, which names its own style and script and forbids all else.

    Args:
        engine: the script that answers the page's questions; the comment in playground.js says how.
        connect: what the policy allows beside them.
    """
    folder = resources.files(__package__ or "elman.pages")
    style, page = ((folder / f"playground.{kind}").read_text(encoding="utf-8") for kind in ("css", "html"))
    script = "\n".join((folder / name).read_text(encoding="utf-8") for name in (engine, "playground.js"))
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; {connect}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page.replace("/*STYLE*/", style).replace("/*SCRIPT*/", script), policy


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
