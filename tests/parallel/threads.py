"""A Group whose processes are threads of this one: what `elman.torch.group` does between machines, without torch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any, TypeVar

import numpy as np
from command_line import PATIENCE

from elman.kernels import Array

_T = TypeVar("_T")


class Threads:
    """One of `size`; `run` makes them."""

    def __init__(self, rank: int, size: int, boxes: dict[tuple[int, int], SimpleQueue[Any]]) -> None:
        self.rank, self.size, self.waited, self.sent, self._boxes = rank, size, 0.0, 0, boxes
        self._turn, self._early = 0, dict[tuple[int, int], Any]()

    @contextmanager
    def joined(self, what: Mapping[str, Any]) -> Iterator[None]:
        yield

    def exchange(self, parts: Sequence[Array], lengths: Sequence[int]) -> Callable[[], list[Array]]:
        copies, self._turn, turn = [part.copy() for part in parts], self._turn + 1, self._turn
        for other, part in enumerate(copies):
            assert part.dtype == np.float32
            self.sent += part.nbytes if other != self.rank else 0
            self._boxes[self.rank, other].put((turn, part.copy()))

        def received() -> list[Array]:
            got = [self._get(other, turn) for other in range(self.size)]
            assert [len(part) for part in got] == list(lengths)
            for copy, part in zip(copies, parts, strict=True):
                np.testing.assert_array_equal(copy, part, "changed while it was sent")
            got[self.rank] = parts[self.rank]
            return got

        return received

    def gather(self, data: bytes) -> list[bytes]:
        self._turn, turn = self._turn + 1, self._turn
        for other in range(self.size):
            self._boxes[self.rank, other].put((turn, data))
        return [self._get(other, turn) for other in range(self.size)]

    def _get(self, other: int, turn: int) -> Any:
        """What a process sent in a turn; exchanges may end in another order than they began."""
        while (other, turn) not in self._early:
            of_turn, data = self._boxes[other, self.rank].get(timeout=PATIENCE)
            if of_turn < 0:
                raise ConnectionError(f"process {other} has failed")
            self._early[other, of_turn] = data
        return self._early.pop((other, turn))


def run(size: int, work: Callable[[Threads], _T]) -> list[_T]:
    """What the work of each rank returns."""
    boxes = {(a, b): SimpleQueue[Any]() for a in range(size) for b in range(size)}
    results, errors = dict[int, _T](), list[BaseException]()

    def one(rank: int) -> None:
        try:
            results[rank] = work(Threads(rank, size, boxes))
        except BaseException as error:
            errors.append(error)
            for other in range(size):  # who waits for this one need not wait any longer
                boxes[rank, other].put((-1, None))

    threads = [threading.Thread(target=one, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return [results[rank] for rank in range(size)]
