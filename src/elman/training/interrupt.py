"""Signals that end a training early and let it save: Ctrl-C and its like. Afterwards the program gets the signal."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_held: list[int] | None = None


class Interrupt:
    """Whether a signal asked for the end, and which one."""

    number: int | None = None

    def is_set(self) -> bool:
        return self.number is not None

    def deliver(self) -> None:
        """Give the signal to the program, once its handlers are back: it ends, raises, or does what it always does."""
        if self.number is None:
            return
        if _held is not None:
            _held.append(self.number)
        else:
            signal.raise_signal(self.number)


@contextmanager
def interrupts() -> Iterator[Interrupt]:
    """Turn Ctrl-C, a request to end and a closed terminal into something that is looked at between steps. A second one
    goes to the program's own handler at once; with `deliver`, so does the first, after the block."""
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return

    def on_signal(number: int, _: object) -> None:
        restore()
        interrupt.number = number

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    # One that the caller ignores, as nohup does with SIGHUP, stays ignored; a handler not set from Python is unknown.
    before: dict[int, Any] = {n: signal.getsignal(n) for n in _SIGNALS}
    before = {n: handler for n, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, on_signal)
    try:
        yield interrupt
    finally:
        if not interrupt.is_set():
            restore()


@contextmanager
def held_back() -> Iterator[list[int]]:
    """The numbers of the signals that ended a training in this block, for a program that ends by itself then."""
    global _held
    before, _held = _held, []
    try:
        yield _held
    finally:
        _held = before
