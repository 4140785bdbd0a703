"""What ends a training early, and lets it save: Ctrl-C and its like."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def interrupts() -> Iterator[threading.Event]:
    """Turn Ctrl-C, a request to end and a closed terminal into an event that is looked at between steps; a second one
    ends the program at once."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def on_signal(*_: object) -> None:
        restore()
        event.set()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    # One that the caller ignores, as nohup does with SIGHUP, stays ignored; a handler not set from Python is unknown.
    before: dict[int, Any] = {n: signal.getsignal(n) for n in _SIGNALS}
    before = {n: handler for n, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, on_signal)
    try:
        yield event
    finally:
        restore()
