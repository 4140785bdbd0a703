"""Place of this process by its launcher: which one of how many, and where the first one is.

torchrun and Kubernetes' training operators set RANK and its like. Open MPI and Slurm have names of their own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from ..errors import InputError

_PORT = 29500  # torch's own default


@dataclass(frozen=True)
class Place:
    """One of the processes that a launcher started."""

    rank: int
    size: int
    on_this_machine: int
    """How many of them run here."""
    address: str
    """Address of the first process's machine."""
    port: int

    @property
    def restarts(self) -> int:
        """How often torchrun has started all of them anew, after one was lost."""
        return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))


_LAUNCHERS = {
    "torchrun": ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"),
    "Open MPI": ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE"),
    "Slurm": ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_STEP_TASKS_PER_NODE"),
}
"""Rank, number of processes, those on this machine. Slurm's second one is set by srun alone: a script that starts
`elman train` without it is one process."""


def place() -> Place | None:
    """Read the environment; None: no launcher, or one process.

    Raises:
        InputError: a variable is missing, or no number, or they contradict each other.
    """
    for launcher, (rank_name, size_name, local_name) in _LAUNCHERS.items():
        if os.environ.get(size_name, "1") == "1":
            continue
        size, rank = _number(size_name, launcher), _number(rank_name, launcher)
        if not 0 <= rank < size:
            raise InputError(f"{rank_name} is {rank} and {size_name} {size}; expected a rank in 0..{size - 1}")
        local = os.environ.get(local_name, "").partition("(")[0].partition(",")[0]  # Slurm's: 2(x4) or 2,1
        here = int(local) if local.isdecimal() else 1
        address = os.environ.get("MASTER_ADDR") or os.environ.get("SLURM_LAUNCH_NODE_IPADDR", "")
        if not address:
            if here != size:
                raise InputError(f"{launcher} started {size} processes; set MASTER_ADDR to the first one's machine")
            address = "127.0.0.1"
        port = _number("MASTER_PORT", launcher) if os.environ.get("MASTER_PORT") else _PORT
        if not 0 < port < 1 << 16:
            raise InputError(f"MASTER_PORT is {port}; expected a port, 1..65535")
        return Place(rank, size, here, address, port)
    return None


def _number(name: str, launcher: str) -> int:
    value = os.environ.get(name, "")
    if not value.isascii() or not value.isdecimal():
        raise InputError(f"{name} is {value!r}; expected a whole number, as {launcher} sets it")
    return int(value)
