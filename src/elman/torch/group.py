"""TorchGroup: the processes of a training as torch.distributed connects them, with gloo.

They meet at the first process's machine and port, which the launcher sets. Neither that meeting point nor gloo has a
password or encryption: they need a network that only its users reach.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist

from ..errors import InputError, WorkerLost
from ..kernels import Array
from ..parallel.launch import Place

_T = TypeVar("_T")
PATIENCE = timedelta(seconds=120)
"""How long to wait at the beginning for all to come."""
_SILENCE = timedelta(minutes=30)  # within a training: for a machine without power, which cannot say that it goes
_FRAME = 1016  # bytes that `gather` sends in one turn


class TorchGroup:
    """See `parallel.group.Group`.

    Args:
        place: where this process is, as `parallel.launch.place` finds it.
    """

    def __init__(self, place: Place, patience: timedelta = PATIENCE) -> None:
        self.rank, self.size, self.waited = place.rank, place.size, 0.0
        self.sent = 0
        """Bytes sent to other processes so far."""
        self._place, self._patience = place, patience

    @contextmanager
    def joined(self, what: Mapping[str, Any]) -> Iterator[None]:
        """Meet the others, as `Group.joined`; raises WorkerLost or InputError as it does."""
        store = self._meet()
        try:
            try:
                dist.init_process_group(
                    "gloo", store=store, rank=self.rank, world_size=self.size, timeout=self._patience
                )
            except RuntimeError as error:
                raise WorkerLost(self._apart(error)) from None
            self._compare(what)
            yield
        finally:
            if dist.is_initialized():
                dist.destroy_process_group()

    def _meet(self) -> Any:
        """The store through which they find each other, once all have come to it."""
        place, deadline = self._place, time.monotonic() + self._patience.total_seconds()
        agents = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"  # torchrun itself listens there
        try:
            store = dist.TCPStore(  # type: ignore[reportPrivateImportUsage]
                place.address,
                place.port,
                place.size,
                is_master=self.rank == 0 and not agents,
                timeout=self._patience,
                wait_for_workers=False,
            )
        except (RuntimeError, ValueError) as error:
            raise self._no_store(str(error)) from None
        store = dist.PrefixStore(f"elman/{place.restarts}", store)  # type: ignore[reportPrivateImportUsage]
        store.set(f"here/{self.rank}", "y")
        for rank in range(place.size):
            left = timedelta(seconds=max(1.0, deadline - time.monotonic()))
            try:
                store.wait([f"here/{rank}"], left)
            except RuntimeError as error:
                if "imeout" not in str(error) and "imed out" not in str(error):
                    raise WorkerLost(f"process 0 of {self.size} is gone: {_short(error)}") from None
                seconds = self._patience.total_seconds()
                raise WorkerLost(f"process {rank} of {self.size} did not come in {seconds:.0f} s") from None
        return store

    def _no_store(self, reason: str) -> InputError | WorkerLost:
        place = self._place
        if "EADDRINUSE" in reason:
            return InputError(f"port {place.port} of this machine is in use; set MASTER_PORT to another one")
        where = f"{place.address}:{place.port}, where MASTER_ADDR and MASTER_PORT say that it is"
        return WorkerLost(f"process {self.rank} of {self.size} found no process 0 at {where}: {_short(reason)}")

    def _apart(self, error: RuntimeError) -> str:
        """The line for a group that met and could not be connected."""
        advice = ""
        if self._place.on_this_machine != self.size:
            advice = (
                "; GLOO_SOCKET_IFNAME names the network interface to use, such as eth0, where this machine's own name "
                "means its loopback"
            )
        return f"process {self.rank} of {self.size} could not be connected to the others: {_short(error)}{advice}"

    def _compare(self, what: Mapping[str, Any]) -> None:
        """Raises InputError for the first thing in which a process differs from the first one."""
        of_all = [json.loads(data) for data in self.gather(json.dumps(what).encode())]
        for rank, theirs in enumerate(of_all):
            for name in sorted(set(of_all[0]) | set(theirs)):
                if of_all[0].get(name) != theirs.get(name):
                    raise InputError(
                        f"process {rank} has another {name.replace('_', ' ')} than process 0: {theirs.get(name)}, not "
                        f"{of_all[0].get(name)}; start all with the same text, options and version of Elman"
                    )

    def exchange(self, parts: Sequence[Array], lengths: Sequence[int]) -> Callable[[], list[Array]]:
        got = [np.empty(n, dtype=np.float32) for n in lengths]
        got[self.rank] = parts[self.rank]
        finish = self._swap(parts, got)

        def received() -> list[Array]:
            finish()
            return got

        return received

    def gather(self, data: bytes) -> list[bytes]:
        turn = [np.zeros(8 + _FRAME, dtype=np.uint8) for _ in range(self.size)]
        mine = turn[self.rank]
        frame = len(data).to_bytes(8, "little") + data[:_FRAME]
        mine[: len(frame)] = np.frombuffer(frame, dtype=np.uint8)
        self._swap([mine] * self.size, turn)()
        lengths = [int.from_bytes(frame[:8].tobytes(), "little") for frame in turn]
        found = [frame[8 : 8 + n].tobytes() for frame, n in zip(turn, lengths, strict=True)]
        if max(lengths) > _FRAME:
            rest = [np.zeros(max(0, n - _FRAME), dtype=np.uint8) for n in lengths]
            rest[self.rank][:] = np.frombuffer(data[_FRAME:], dtype=np.uint8)
            self._swap([rest[self.rank]] * self.size, rest)()
            found = [begin + end.tobytes() for begin, end in zip(found, rest, strict=True)]
        return found

    def _swap(self, parts: Sequence[Array], into: Sequence[Array]) -> Callable[[], object]:
        """Begin to send a part to every other process while theirs come into these arrays; empty ones are not sent.

        Returns a function that waits for the end. What one process sends another arrives in order.
        """
        others = [(self.rank + step) % self.size for step in range(1, self.size)]  # not all to the first one at once
        begun = [(r, partial(dist.irecv, torch.from_numpy(into[r]), r)) for r in others if into[r].size]
        begun += [(r, partial(dist.isend, torch.from_numpy(parts[r]), r)) for r in others if parts[r].size]
        works = self._each(begun)
        self.sent += sum(parts[r].nbytes for r in others)
        waits = [(r, partial(work.wait, _SILENCE)) for (r, _), work in zip(begun, works, strict=True) if work]
        return lambda: self._each(waits)

    def _each(self, calls: Sequence[tuple[int, Callable[[], _T]]]) -> list[_T]:
        """Results of the calls. Each has to do with the process before it. Raises WorkerLost if that is gone."""
        start, rank, found = time.perf_counter(), self.rank, list[_T]()
        try:
            for rank, call in calls:  # noqa: B007 - the error names it
                found.append(call())
        except RuntimeError:
            raise WorkerLost(
                f"process {rank} of {self.size} is gone; the last checkpoint is whole: go on with `resume`",
                setting="resume",
            ) from None
        self.waited += time.perf_counter() - start
        return found


def _short(error: object) -> str:
    """Torch's message, without the part for its developers."""
    text = " ".join(str(error).split())
    return text.partition(" Exception raised from")[0].partition("] ")[2][:200] or text[:200]
