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

    @contextmanager
    def joined(self, what: Mapping[str, Any]) -> Iterator[None]:
        yield

    def exchange(self, parts: Sequence[Array], lengths: Sequence[int]) -> list[Array]:
        for other, part in enumerate(parts):
            assert part.dtype == np.float32
            self.sent += part.nbytes if other != self.rank else 0
            self._boxes[self.rank, other].put(part if other == self.rank else part.copy())
        got = [self._boxes[other, self.rank].get(timeout=PATIENCE) for other in range(self.size)]
        assert [len(part) for part in got] == list(lengths)
        return got

    def gather(self, data: bytes) -> list[bytes]:
        for other in range(self.size):
            self._boxes[self.rank, other].put(data)
        return [self._boxes[other, self.rank].get(timeout=PATIENCE) for other in range(self.size)]


def run(size: int, work: Callable[[Threads], _T]) -> list[_T]:
    """What the work of each rank returns."""
    boxes = {(a, b): SimpleQueue[Any]() for a in range(size) for b in range(size)}
    results, errors = dict[int, _T](), list[BaseException]()

    def one(rank: int) -> None:
        try:
            results[rank] = work(Threads(rank, size, boxes))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return [results[rank] for rank in range(size)]
