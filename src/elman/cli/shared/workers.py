"""`elman train --workers N`, and the processes that it or a launcher such as torchrun has started."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ...errors import ElmanError, InputError, WorkerLost
from ...parallel.launch import Place, place
from .streams import complaint, is_console, say

if TYPE_CHECKING:
    from ...corpora import Corpus
    from ...parallel.group import Group
    from ...recipes import Recipe
    from ...runs import Checkpoint

_OURS = "elman-workers-"
"""How TORCHELASTIC_RUN_ID begins where --workers started the process; the launcher's process id follows."""
_SAID = "said.json"
"""The file beside TORCHELASTIC_ERROR_FILE in which a process says why it ends."""
_PDEATHSIG = 1  # prctl's, from linux/prctl.h


@contextmanager
def working_together(workers: int, corpus: str | None, by_the_clock: bool = False) -> Iterator[Group]:
    """The group that this process is one of. With --workers, start the processes, wait for them and exit.

    Args:
        workers: processes of this machine. by_the_clock: `--minutes` ends the training.
    Raises:
        InputError: the corpus can be read by one process alone, a launcher has set what it should not, or torch is not
            installed. typer.Exit: the processes are done.
    """
    from ...parallel.alone import Alone

    if workers < 1:
        raise InputError(f"--workers must be at least 1, got {workers}")
    found = place()
    if found and workers > 1:
        raise InputError("a launcher has started the processes already; leave out --workers")
    if not found and workers == 1:
        yield Alone()
        return
    if by_the_clock:
        raise InputError("--minutes goes by the clock of one process; with several give --epochs")
    if corpus == "-":
        raise InputError("standard input can be read by one process alone; give a file")
    if found is None:
        raise typer.Exit(_launch(workers))
    with _one_line(found):
        yield _group(found)


def _launch(workers: int) -> int:
    """Run this command in so many processes; the exit status."""
    try:
        from ...torch.launcher import launch
    except ModuleNotFoundError as error:
        raise InputError(f"several processes are connected by torch: {error}") from None
    with tempfile.TemporaryDirectory(prefix="elman-") as logs:
        status, signals = launch(workers, list(_without_workers(sys.argv[1:])), f"{_OURS}{os.getpid()}", logs)
        said = sorted(json.loads(path.read_text()) for path in Path(logs).rglob(_SAID))
    for rank, number in signals.items():
        raise WorkerLost(
            f"process {rank} of {workers} was ended by signal {number}; the last checkpoint is whole: go on with "
            "`resume`",
            setting="resume",
        )
    if said:  # the cause, and not what it led to; of several, the first process's
        say(said[0][2])
    return status


def _group(found: Place) -> Group:
    try:
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")  # else it traces whatever we say in one line
        from ...torch.group import TorchGroup
    except ModuleNotFoundError as error:
        raise InputError(f"several processes are connected by torch: {error}") from None
    if found.rank:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the first one prints
    return TorchGroup(found)


@contextmanager
def _one_line(found: Place) -> Iterator[None]:
    """Leave an error, where --workers started this process, to its launcher, which says one line for all."""
    ours = os.environ.get("TORCHELASTIC_RUN_ID", "").startswith(_OURS)
    if ours:
        _end_with(int(os.environ["TORCHELASTIC_RUN_ID"].removeprefix(_OURS)))
    try:
        yield
    except (ElmanError, OSError, MemoryError) as error:
        if not ours or is_console(error):
            raise
        said = Path(os.environ["TORCHELASTIC_ERROR_FILE"]).with_name(_SAID)
        said.write_text(json.dumps([isinstance(error, WorkerLost), found.rank, complaint(error)]))
        raise typer.Exit(2) from None


def _end_with(launcher: int) -> None:
    """Stop, and save, if the launcher is killed. Linux only; elsewhere the processes go on to their end."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PDEATHSIG, int(signal.SIGTERM))
        if os.getppid() != launcher:
            os.kill(os.getpid(), signal.SIGTERM)


def to_go_on(output: Path | None, recipe: Recipe, text: Corpus) -> Checkpoint | None:
    """The run's checkpoint, if torchrun has restarted all processes (`--max-restarts`); None at a first start.

    Raises:
        InputError: it may start anew, and the run has no name by which it would be found.
    """
    from ...runs import RunFolder, read_checkpoint

    found = place()
    if found and os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0") != "0" and output is None:
        raise InputError("with torchrun --max-restarts give --output, by which a restart finds the run")
    if found is None or not found.restarts or output is None or RunFolder(output).latest_checkpoint() is None:
        return None
    checkpoint = read_checkpoint(output)
    same_text = checkpoint.run.corpus["digest"] == text.first(recipe.max_chars).digest()
    return checkpoint if same_text and checkpoint.run.recipe == recipe else None  # an earlier run's is not gone on with


def _without_workers(arguments: list[str]) -> Iterator[str]:
    skip = False
    for argument in arguments:
        if skip or argument.startswith("--workers="):
            skip = False
        elif argument == "--workers":
            skip = True
        else:
            yield argument
