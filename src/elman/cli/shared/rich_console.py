"""Tables, bars and colours by rich's console, which takes text of users and models as plain text."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from ...visible import CONTROLS


class RichConsole(Console):
    """No markup, no emoji, and on a terminal no control characters."""

    def __init__(self, stderr: bool) -> None:
        super().__init__(highlight=False, soft_wrap=True, markup=False, emoji=False, stderr=stderr)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(text.translate(CONTROLS) if self.is_terminal else text, **options)
