"""Alone: a group of one process, which has nobody to wait for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ..kernels import Array


class Alone:
    """See `group.Group`."""

    rank, size, waited = 0, 1, 0.0

    def joined(self, what: Mapping[str, Any]) -> AbstractContextManager[None]:
        return nullcontext()

    def exchange(self, parts: Sequence[Array], lengths: Sequence[int]) -> Callable[[], list[Array]]:
        return lambda: list(parts)

    def gather(self, data: bytes) -> list[bytes]:
        return [data]
