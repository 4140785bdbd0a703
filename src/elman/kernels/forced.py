"""The backend that is asked for by `use`, else by ELMAN_BACKEND, instead of the one that would serve."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextvars import ContextVar


class Forced:
    """The backends that `use` asks for, the latest last; each thread and task has its own.

    Args:
        check: raises InputError for a name that cannot serve.
    """

    def __init__(self, check: Callable[[str], object]) -> None:
        self._check = check
        self._asked: ContextVar[tuple[tuple[str, object], ...]] = ContextVar("forced", default=())

    @contextlib.contextmanager
    def use(self, backend: str) -> Iterator[None]:
        self._check(backend)
        entry = (backend, object())
        self._asked.set((*self._asked.get(), entry))
        try:
            yield
        finally:  # by name, since two may end in another order than they began
            self._asked.set(tuple(other for other in self._asked.get() if other is not entry))

    def backend(self) -> tuple[str, str] | None:
        """Its name, and by what it is forced; None: nothing is."""
        if asked := self._asked.get():
            return asked[-1][0], "forced by kernels.use"
        if name := os.environ.get("ELMAN_BACKEND"):
            self._check(name)
            return name, "forced by ELMAN_BACKEND"
        return None
