"""`elman train --workers N`: the other processes, of this machine or those that a launcher such as torchrun started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ...errors import InputError
from ...parallel.ranks import Ranks, listen, share_cores


@contextmanager
def working_together(workers: int, corpus: str | None, by_the_clock: bool = False) -> Iterator[Ranks]:
    """The ranks that this process is one of; others are started, and waited for at the end.

    Args:
        workers: processes of this machine, this one among them. by_the_clock: it is to end by `--minutes`.
    Raises:
        InputError: the corpus can be read by one process alone, or a launcher has set what it should not.
    """
    if workers < 1:
        raise InputError(f"--workers must be at least 1, got {workers}")
    ranks = Ranks.from_environment()
    if ranks.size > 1:
        if workers > 1:
            raise InputError("a launcher has started the processes already; leave out --workers")
        share_cores(int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    if (ranks.size > 1 or workers > 1) and by_the_clock:
        raise InputError("--minutes goes by the clock of one process; with several give --epochs")
    if (ranks.size > 1 or workers > 1) and corpus == "-":
        raise InputError("standard input can be read by one process alone; give a file")
    if ranks.rank:
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # they go to the first process too, whose end ends the others
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_IGN)
    if workers == 1:
        yield ranks
        return
    listener, port = listen()
    share_cores(workers)
    place = {"WORLD_SIZE": str(workers), "LOCAL_WORLD_SIZE": str(workers), "MASTER_ADDR": "127.0.0.1"}
    place |= {"MASTER_PORT": str(port), "ELMAN_PORT": str(port)}
    arguments = [argument for argument in _without_workers(sys.argv[1:])]
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "elman", *arguments],
            env=os.environ | place | {"RANK": str(rank)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        for rank in range(1, workers)
    ]
    try:
        yield Ranks(0, workers, f"127.0.0.1:{port}", listener)
        with suppress(subprocess.TimeoutExpired):
            for child in children:
                child.wait(60)
    finally:
        listener.close()
        for child in children:
            if child.poll() is None:
                child.kill()
        for child in children:
            child.wait()


def _without_workers(arguments: list[str]) -> Iterator[str]:
    skip = False
    for argument in arguments:
        if skip or argument.startswith("--workers="):
            skip = False
        elif argument == "--workers":
            skip = True
        else:
            yield argument
