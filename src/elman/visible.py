"""Text that came from anywhere, made fit to be shown: a terminal, a picture or a message must not obey it."""

from __future__ import annotations

CONTROLS = {c: f"\\x{c:02x}" for c in (*range(32), *range(0x7F, 0xA0)) if chr(c) not in "\t\n"}
"""Table for str.translate: control characters as escapes, except tab and line end."""


def visible(text: str) -> str:
    """One line: control characters, line ends and half surrogate pairs as escapes."""
    text = text.translate(CONTROLS).replace("\n", "\\n").replace("\t", "\\t")
    return text.encode("utf-8", "backslashreplace").decode()
