"""SIGTERM, SIGHUP and SIGINT end a command: what is half written is removed, the status is 128 + n.

Python runs a handler between two of its instructions, so one call of the kernel, which may take minutes, holds it up. A
thread waits for signals too, and ends the process where no handler has run within `_GRACE` seconds. What a handler
raises in a destructor or in a weak reference's callback Python drops with a message: it is raised once more. A command
that must finish what it is at asks for itself whether a signal came.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ...files import remove_unfinished

_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
_GRACE = 0.5
_AGAIN = 0.01


@contextmanager
def ending_by_signal() -> Iterator[None]:
    """Raise SystemExit where the block is, KeyboardInterrupt for SIGINT; at a second SIGTERM or SIGHUP end at once. A
    signal that is ignored, as nohup ignores SIGHUP, stays ignored, and one with another handler keeps it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handled: dict[int, float] = {}

    def first(number: int, _: object) -> None:
        handled[number] = time.monotonic()
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        for each in before:
            if each != signal.SIGINT:
                signal.signal(each, second)
        raise SystemExit(128 + number)

    def second(number: int, _: object) -> None:
        _end(number)

    def dropped(what: Any) -> None:
        if not (handled and isinstance(what.exc_value, (SystemExit, KeyboardInterrupt))):
            return shows(what)
        for number in before:
            signal.signal(number, first)
        threading.Timer(_AGAIN, _thread.interrupt_main, [max(handled, key=lambda number: handled[number])]).start()

    shows, sys.unraisablehook = sys.unraisablehook, dropped
    before: dict[int, Any] = {number: signal.getsignal(number) for number in _SIGNALS}
    before = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        before[signal.SIGINT] = signal.default_int_handler
    for number in before:
        signal.signal(number, first)
    read, write = os.pipe()
    os.set_blocking(write, False)
    wakes = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(read, first, handled), daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakes)
        os.close(write)  # which ends the thread
        sys.unraisablehook = shows
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def deferring_signals() -> Iterator[Callable[[], None]]:
    """Signals that would end the block wait for the function that it gets, which raises SystemExit then. A second one
    ends at once."""
    came: list[int] = []

    def note(number: int, _: object) -> None:
        if came:
            _end(number)
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


def _watch(read: int, first: Any, handled: dict[int, float]) -> None:
    """End the process at a signal of `first` that it does not handle in time. handled: when it did, by signal."""
    while numbers := os.read(read, 1):
        came, number = time.monotonic(), numbers[0]
        if signal.getsignal(number) is first:
            time.sleep(_GRACE)
            if signal.getsignal(number) is first and handled.get(number, 0.0) < came - _GRACE:
                _end(number)
    os.close(read)


def _end(number: int) -> None:
    remove_unfinished()
    os._exit(128 + number)
