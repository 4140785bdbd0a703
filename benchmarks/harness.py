"""What the benchmarks share: contestants that take turns, the machine in words, the CSV files.

Contestants run in one process, one after the other in every round, so a slow moment of the machine meets all of
them. Before its samples each runs untimed for a moment: long enough that its memory is in the caches again and that the
threads of the one before, which some libraries leave spinning, have gone to sleep.
"""

from __future__ import annotations

import csv
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from elman.kernels import _cpu

RESULTS = Path(__file__).parents[1] / "results"
_SETTLE = 0.03  # seconds untimed


@dataclass
class Contestant:
    """`step` does the work once; `reset` puts everything back to where it was at first."""

    step: Callable[[], object]
    reset: Callable[[], None] = lambda: None


def race(contestants: dict[str, Contestant], rounds: int, samples: int = 3) -> dict[str, list[float]]:
    """Seconds of `rounds` times `samples` steps of each (one sample where a step is long)."""
    seconds: dict[str, list[float]] = {label: [] for label in contestants}
    for contestant in contestants.values():  # compilation, allocation
        contestant.reset()
        contestant.step()
    for _ in range(rounds):
        for label, contestant in contestants.items():
            contestant.reset()
            begin = start = time.perf_counter()
            while start - begin < _SETTLE:
                before, _ = start, contestant.step()
                start = time.perf_counter()
            for _ in range(samples if start - before < 0.1 else 1):
                start = time.perf_counter()
                contestant.step()
                seconds[label].append(time.perf_counter() - start)
    return seconds


def quartiles(values: list[float]) -> tuple[float, float, float]:
    """Lower quartile, median, upper quartile."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, median, high


def fma_rate() -> float:
    """Floating-point operations per second of independent FMAs in registers, by all threads: the best of several."""
    rates = []
    for _ in range(7):
        start = time.perf_counter()
        rates.append(_cpu.fma_peak(2_000_000) / (time.perf_counter() - start))
    return max(rates)


def processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith(("model name", "CPU part")))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def machine() -> dict[str, object]:
    """For every row: where it was measured, and with what."""
    versions = []
    for package in ("elman", "torch", "jax", "numpy"):
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "isa": _cpu.isa(),
        "versions": ", ".join(versions),
    }


def write(name: str, rows: list[dict[str, object]], keep: str | tuple[str, ...] = ()) -> Path:
    """results/NAME.csv. With `keep`, columns: rows of the old file whose values there were not measured now stay,
    beside those with the same first value."""
    path = RESULTS / f"{name}.csv"
    path.parent.mkdir(exist_ok=True)
    if keep and path.exists():
        keys = (keep,) if isinstance(keep, str) else keep
        new = {tuple(str(row[key]) for key in keys) for row in rows}
        old: list[dict[str, object]] = []
        with path.open(newline="", encoding="utf-8") as file:
            table = csv.DictReader(file)
            if table.fieldnames == list(rows[0]):
                old = [dict(row) for row in table if tuple(row[key] for key in keys) not in new]
        first = list(dict.fromkeys(str(row[keys[0]]) for row in [*old, *rows]))
        rows = sorted([*old, *rows], key=lambda row: first.index(str(row[keys[0]])))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path
