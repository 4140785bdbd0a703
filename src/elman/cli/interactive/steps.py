"""`/step` of an interactive session: a text made character by character, with bars of what could come next."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ...visible import visible
from ..shared.console import err, out, warn_unknown

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

    from ...model import Model

CHOICES = 9
_WIDTH = 40  # columns of a bar for a probability of 1
_SHOWN = 400  # characters of the text, from its end
_HELP = "1-9: take that one; Enter: the likeliest; text, or =text: write it; /undo; /done"
_COLOURS = ((1, "green"), (3, "yellow"), (6, "dark_orange"), (math.inf, "red"))
"""Up to so many bits: this colour."""


def colour(bits: float) -> str:
    """Colour of a character that cost so many bits: green if expected, red if not."""
    return next(name for most, name in _COLOURS if bits < most)


def coloured(text: str, bits: Any) -> Text:
    """A text, each character in the colour of what it cost; control characters and line ends as signs."""
    shown = Text()
    for character, cost in zip(text, bits, strict=True):
        shown.append(visible(character), colour(float(cost)))
    return shown


class Steps:
    """A text that grows under the user's hands.

    Args:
        text: how it begins.
    """

    def __init__(self, model: Model, text: str) -> None:
        self.model, self.parts = model, [text] if text else []

    @property
    def text(self) -> str:
        return "".join(self.parts)

    def run(self, ask: PromptSession[str]) -> str:
        """Show, ask and write until /done or Ctrl-D; the text."""
        out.print(_HELP)
        while True:
            choices = self._show()
            try:
                line = ask.prompt("step> ")
            except (EOFError, KeyboardInterrupt):
                return self.text
            if line.strip() == "/done":
                return self.text
            self.take(line, choices)

    def take(self, line: str, choices: list[str]) -> None:
        """Act on the typed line: a number takes a choice, nothing the likeliest, /undo goes back; other text is
        written, and what follows a "=" literally, except \\n, a line end."""
        word = line.strip()
        if word == "/undo":
            if self.parts:
                self.parts.pop()
            return
        if word.startswith("/"):
            err.print(f"elman: no command {word}; {_HELP}")
            return
        if not line:
            picked = next((c for c in choices if c), "")
        elif len(word) == 1 and word.isdecimal() and 0 < int(word) <= len(choices):
            picked = choices[int(word) - 1]
        else:
            picked = line.removeprefix("=").replace("\\n", "\n")
            warn_unknown(self.model, picked)
        if picked:
            self.parts.append(picked)

    def _show(self) -> list[str]:
        """The text, and what could come next; the choices, "" for one that cannot be taken."""
        from ...scoring import after, score

        text = self.text
        if text:
            read = score(self.model, text)
            shown, bits = read.characters()
            if read.records and not text.endswith("\n"):
                shown, bits = shown[:-1], bits[:-1]  # the record has not ended
            out.print(coloured(shown[-_SHOWN:], bits[-_SHOWN:]))
            out.print(f"{len(shown):,} characters, {float(bits.sum()):.1f} bits")
        last = text.rpartition("\n")[2] if self.model.reading.records else text
        choices, vocabulary = [], self.model.reading.vocabulary
        for number, (token, p) in enumerate(after(self.model, last, CHOICES), 1):
            cost = -math.log2(p) if p > 0 else math.inf
            row = Text(f"{number}  {_label(token):<9} {100 * p:6.2f} %  ")
            row.append(("█" if out.encoding.startswith("utf") else "#") * round(_WIDTH * p), colour(cost))
            out.print(row)
            whole = len(token) == 1 and not vocabulary.unknown(vocabulary.encode(token))
            choices.append(token if whole else "")
        return choices


def _label(token: str) -> str:
    return {" ": "space", "\n": "line end", "\t": "tab"}.get(token, visible(token))
