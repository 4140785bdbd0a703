"""Processes that a launcher might have started: forked from a server that has imported torch once."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from command_line import PATIENCE

os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")  # the server reads it when it imports torch
_CONTEXT: Any = multiprocessing.get_context("forkserver" if hasattr(os, "fork") else "spawn")
if hasattr(os, "fork"):
    _CONTEXT.set_forkserver_preload(["elman.torch.group", "elman.cli.train", "elman.training", "command_line"])


class Started:
    """A function in a process of its own, with its output in files."""

    def __init__(self, work: Callable[..., Any], arguments: Sequence[Any], environment: Mapping[str, str]) -> None:
        self._folder = tempfile.TemporaryDirectory()
        where = (os.getcwd(), self._folder.name)
        self.process = _CONTEXT.Process(target=_run, args=(work, arguments, dict(environment), *where))
        self.process.start()

    def wait(self) -> tuple[int, str, str]:
        """Its status, output and errors."""
        self.process.join(PATIENCE)
        assert self.process.exitcode is not None
        out, err = (Path(self._folder.name, name).read_text() for name in ("out", "err"))
        self._folder.cleanup()
        return self.process.exitcode, out, err


def _run(work: Callable[..., Any], arguments: Sequence[Any], values: dict[str, str], cwd: str, folder: str) -> None:
    status = 1
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    try:
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(Path(folder, name), os.O_WRONLY | os.O_CREAT), number)
            stream = io.TextIOWrapper(open(number, "wb", closefd=False), "utf-8")  # noqa: SIM115
            setattr(sys, "stdout" if number == 1 else "stderr", stream)
        os.chdir(cwd)
        os.environ.update(values)
        work(*arguments)
        status = 0
    except SystemExit as done:
        status = done.code if isinstance(done.code, int) else int(bool(done.code))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def command(*arguments: object) -> None:
    """`elman ARGUMENTS`, in this process."""
    from elman.cli import main

    sys.argv = ["elman", *map(str, arguments)]
    main()


def environment(rank: int, size: int, port: int, **more: str) -> dict[str, str]:
    """As torchrun sets it."""
    place = {"RANK": str(rank), "WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return place | {"LOCAL_WORLD_SIZE": str(size), "ELMAN_THREADS": "1"} | more
