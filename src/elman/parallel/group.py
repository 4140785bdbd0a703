"""Group: the processes that train one model together. `alone` is a group of one; `elman.torch.group` has the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from ..kernels import Array


@runtime_checkable
class Group(Protocol):
    """One process among `size`. Every method but the properties is called by all of them, in the same order."""

    @property
    def rank(self) -> int:
        """0..size-1. The first one writes the run's folder."""
        ...

    @property
    def size(self) -> int: ...

    @property
    def waited(self) -> float:
        """Seconds spent in `exchange` and `gather` so far: waiting for the others, and sending."""
        ...

    def joined(self, what: Mapping[str, Any]) -> AbstractContextManager[None]:
        """Meet the others for as long as the block lasts.

        Args:
            what: what this process trains, as JSON can hold it; all must say the same.
        Raises:
            WorkerLost: one did not come. InputError: one trains something else; the line says what differs.
        """
        ...

    def exchange(self, parts: Sequence[Array], lengths: Sequence[int]) -> Callable[[], list[Array]]:
        """Begin to send a part to each process, and to receive one from each. Several exchanges may be under way.

        Args:
            parts: float32 (n,), one for each rank; n may be 0. They may not change before the end of the exchange.
            lengths: of the parts to receive, by rank.
        Returns:
            A function that waits for the end: float32 (lengths[r],) from each rank r; this process's own part is
            handed back as it is.
        Raises:
            WorkerLost: one is gone; the function raises it, too.
        """
        ...

    def gather(self, data: bytes) -> list[bytes]:
        """Gather a value from every process, by rank. For small ones: all of them go to all. Raises WorkerLost."""
        ...
