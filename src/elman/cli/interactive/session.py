"""`elman generate --interactive`: prompt after prompt, with a history, and settings that change in between."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs
from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from ...errors import ElmanError, InputError
from ..shared.console import err, out, warn_unknown
from ..shared.prompts import parse_bias, show_stream, with_line_ends
from .steps import Steps

if TYPE_CHECKING:
    from ...model import Model

_HELP = """\
A line is a prompt, and its continuation is written below it. Ctrl-C stops that; Ctrl-D leaves.
  /temperature 0.7   change a setting; so also:
                     {names}
  /top-k off         back to what a setting is without the option
  /settings          show them all
  /reset             back to the settings that the session began with
  /step the sea      go on from this text character by character, and see what could come next
  //text             a prompt that begins with a slash
After each answer the seed goes up by one, so the same prompt is answered anew; /seed 0 begins again."""


def _words(line: str) -> list[str]:
    """Split as a shell does, but a backslash is one: \\n must reach `with_line_ends`."""
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split, lexer.commenters, lexer.escape = True, "", ""
    return list(lexer)


def _whole(words: list[str]) -> int:
    word = _single(words)
    try:
        return int(word)
    except ValueError:
        raise InputError(f"expected a whole number, got {word!r}") from None


def _number(words: list[str]) -> float:
    word = _single(words)
    try:
        return float(word)
    except ValueError:
        raise InputError(f"expected a number, got {word!r}") from None


def _single(words: list[str]) -> str:
    if len(words) != 1:
        raise InputError("expected one value")
    return words[0]


_DEFAULTS: dict[str, tuple[Callable[[list[str]], Any], Any]] = {
    "length": (_whole, 200),
    "temperature": (_number, 1.0),
    "alpha": (_number, 1.0),
    "top_k": (_whole, None),
    "top_p": (_number, None),
    "min_p": (_number, None),
    "repetition_penalty": (_number, 1.0),
    "presence_penalty": (_number, 0.0),
    "frequency_penalty": (_number, 0.0),
    "logit_bias": (parse_bias, None),
    "allowed": (_single, None),
    "stop": (lambda words: [with_line_ends(w) for w in words], []),
    "seed": (_whole, 0),
}
"""Each setting: how its words are read, and what it is when it is off."""


class Session:
    """An interactive session with a model.

    Args:
        settings: initial settings: length, stop, and the fields of generation.Sampling.
    """

    def __init__(self, model: Model, **settings: Any) -> None:
        self.model, self.start = model, {name: off for name, (_, off) in _DEFAULTS.items()} | settings
        self.settings = dict(self.start)
        self._check(self.settings)

    def run(self) -> None:
        """Ask and answer until Ctrl-D."""
        commands = [_typed(name) for name in ("help", "settings", "reset", "step", *_DEFAULTS)]
        ask = PromptSession(
            "> ",
            history=_history(),
            completer=WordCompleter(commands, sentence=True),
            complete_while_typing=False,
        )
        out.print("A prompt, or /help. Ctrl-D leaves.")
        while True:
            try:
                line = ask.prompt()
            except KeyboardInterrupt:
                continue
            except EOFError:
                return
            try:
                if line == "/step" or line.startswith("/step "):
                    out.print(Steps(self.model, line[len("/step ") :]).run(ask))
                elif line.startswith("/") and not line.startswith("//"):
                    self._command(line[1:])
                else:
                    self._answer(line.removeprefix("/") if line.startswith("//") else line)
            except KeyboardInterrupt:
                out.print()
            except ValueError as error:
                err.print(f"elman: {_complaint(error)}")

    def _answer(self, prompt: str) -> None:
        warn_unknown(self.model, prompt)
        sampling = dict(self.settings)
        length, stop = sampling.pop("length"), sampling.pop("stop")
        self.settings["seed"] = (self.settings["seed"] + 1) % 2**64
        show_stream(self.model, prompt, length, stop, sampling)

    def _command(self, line: str) -> None:
        name, *words = _words(line) or ["help"]
        name = name.replace("-", "_")
        if name == "help":
            out.print(_HELP.format(names=" ".join(map(_typed, _DEFAULTS))))
        elif name == "settings":
            for each in _DEFAULTS:
                self._show(each)
        elif name == "reset":
            self.settings = dict(self.start)
        elif name not in _DEFAULTS:
            raise InputError(f"no command /{name}; /help lists them")
        else:
            if words:
                self._change(name, words)
            self._show(name)

    def _change(self, name: str, words: list[str]) -> None:
        read, off = _DEFAULTS[name]
        try:
            value = off if words == ["off"] else read(words)
        except ValueError as error:
            if isinstance(error, ElmanError) and name in error.settings:  # it names the setting itself
                raise
            raise InputError(f"{_typed(name)}: {error}") from None
        changed = self.settings | {name: value}
        self._check(changed)
        self.settings = changed

    def _check(self, settings: dict[str, Any]) -> None:
        """Raises InputError for settings that the model cannot write with."""
        from ...generation import stream

        values = dict(settings)
        stream(self.model, "", values.pop("length"), stop=values.pop("stop"), **values)

    def _show(self, name: str) -> None:
        value = self.settings[name]
        out.print(f"{name.replace('_', '-')} {'off' if value in (None, []) else value}")


def _typed(setting: str) -> str:
    """A setting as it is typed in a session."""
    return "/" + setting.replace("_", "-")


def _complaint(error: ValueError) -> str:
    if not isinstance(error, ElmanError):
        return str(error)
    error.options = tuple(_DEFAULTS)
    return error.worded(_typed)


def _history() -> History:
    """Kept in the user's state folder; where that cannot be written, for the session only."""
    try:
        path = Path(platformdirs.user_state_dir("elman")) / "history"
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        return InMemoryHistory()
    return FileHistory(path)
