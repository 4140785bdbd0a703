"""SIGTERM and SIGHUP end a command as Ctrl-C does: what is half written is removed, the status is 128 + n.

A command that must finish what it is at asks for itself whether a signal came.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ...files import remove_unfinished

_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def ending_by_signal() -> Iterator[None]:
    """Raise SystemExit where the block is; at a second signal end at once. One that is ignored, as nohup ignores
    SIGHUP, stays ignored. Python itself raises KeyboardInterrupt for SIGINT."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def first(number: int, _: object) -> None:
        for each in before:
            signal.signal(each, second)
        raise SystemExit(128 + number)

    def second(number: int, _: object) -> None:
        remove_unfinished()
        os._exit(128 + number)

    before: dict[int, Any] = {number: signal.getsignal(number) for number in _SIGNALS}
    before = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, first)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def deferring_signals() -> Iterator[Callable[[], None]]:
    """Signals that would end the block wait for the function that it gets, which raises SystemExit then. A second one
    ends at once."""
    came: list[int] = []

    def note(number: int, _: object) -> None:
        if came:
            remove_unfinished()
            os._exit(128 + number)
        came.append(number)

    def check() -> None:
        if came:
            raise SystemExit(128 + came[0])

    numbers = [signal.SIGINT, *_SIGNALS]
    before: dict[int, Any] = {number: signal.getsignal(number) for number in numbers}
    before = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, note)
    try:
        yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
