"""Prompts of `elman generate` and its sessions: options as typed, and a continuation shown while it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import InputError
from .console import write

if TYPE_CHECKING:
    from ...model import Model


def show_stream(model: Model, prompt: str, length: int, stops: list[str], sampling: dict[str, Any]) -> None:
    """Write the prompt, and its continuation while it is made."""
    from ...generation import stream

    pieces = stream(model, prompt, length, stop=stops, **sampling)  # raises before anything is written
    write(prompt)
    for piece in pieces:
        write(piece)
    write("\n")


def parse_bias(pairs: list[str] | tuple[()]) -> dict[str, float] | None:
    """CHAR=VALUE, ... -> {CHAR: VALUE, ...}; None for none."""
    bias = {}
    for pair in pairs:
        character, _, value = pair.rpartition("=")
        try:
            bias[character] = float(value)
        except ValueError:
            character = ""
        if len(character) != 1:
            raise InputError(f"logit_bias takes CHAR=VALUE, such as e=-2 or z=-inf; got {pair!r}", setting="logit_bias")
    return bias or None


def with_line_ends(text: str) -> str:
    """A stop string as typed: \\n is a line end, since many a shell has no other way to write one."""
    return text.replace("\\n", "\n")
