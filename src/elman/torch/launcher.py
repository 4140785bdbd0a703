"""torchrun's launcher, for processes of this machine."""

from __future__ import annotations

import logging
import signal
import sys

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException, Std
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch


def launch(workers: int, arguments: list[str], run: str, logs: str) -> tuple[int, dict[int, int]]:
    """Run `elman ARGUMENTS` in so many processes, of which the first one has this one's output.

    Args:
        run: its name, TORCHELASTIC_RUN_ID in the processes. logs: a folder for what the others print.
    Returns:
        status: the first exit status that is not 0, else 0.
        signals: the signal that killed a process, by its rank; SIGTERM, which the launcher itself sends, is none.
    """
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # dozens of lines
    others: dict[int, Std] = {rank: Std.ALL for rank in range(1, workers)}
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=workers,
        run_id=run,
        rdzv_backend="c10d",
        rdzv_endpoint="127.0.0.1:0",
        local_addr="127.0.0.1",
        max_restarts=0,
        logs_specs=DefaultLogsSpecs(log_dir=logs, redirects=others),
    )
    try:
        elastic_launch(config, sys.executable)("-m", "elman", *arguments)
    except SignalException as stopped:
        return 128 + int(stopped.sigval), {}
    except ChildFailedError as failed:
        codes = {rank: failure.exitcode for rank, failure in failed.failures.items()}
        signals = {rank: -code for rank, code in codes.items() if code < 0 and -code != signal.SIGTERM}
        return max([2, *codes.values()]), signals
    return 0, {}
