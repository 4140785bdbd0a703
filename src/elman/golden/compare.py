"""Whether this installation computes the golden results, with every instruction set that its processor has."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .. import kernels
from . import coder, floats, integers

HERE = Path(__file__).parent
THREADS = (1, 3)


@dataclass(frozen=True)
class Checked:
    """One instruction set with one number of threads.

    Args:
        kernel: floats, integers or coder. isa: the instruction set, or numpy.
        count: how many results were compared.
        wrong: the names of those that differ.
    """

    kernel: str
    isa: str
    threads: int
    count: int
    wrong: tuple[str, ...]


def expected(kernel: str) -> dict[str, str]:
    """The golden results of floats, integers or coder by name, such as "operations/gru real"."""
    parts = json.loads((HERE / f"{kernel}.json").read_text(encoding="utf-8"))
    return {f"{part}/{name}": value for part, results in parts.items() for name, value in results.items()}


def check() -> Iterator[Checked]:
    """Compute the golden results in each way that this machine has. The kernel is set back at the end.

    Without the native kernel, or with ELMAN_BACKEND=reference, only NumPy's definition of the integer kernels is
    checked: the one part of it that promises bits.
    """
    if kernels.serving()[0] != "cpu":
        yield _compare("integers", "numpy", 1, integers.results())
        return
    from ..kernels import _cpu

    before = _cpu.isa(), _cpu.integer_isa(), _cpu.coding_isa(), _cpu.threads()
    try:
        for isa in available(_cpu.set_isa, floats.ISAS):
            for threads in THREADS:
                _cpu.set_threads(threads)
                # trainings without vectors take seconds; once will do
                results = floats.results(trainings=isa != "portable" or threads != 1)
                yield _compare("floats", isa, threads, results)
        _cpu.set_isa(before[0])
        for isa in available(_cpu.set_integer_isa, integers.ISAS):
            for threads in THREADS:
                _cpu.set_threads(threads)
                yield _compare("integers", isa, threads, integers.results())
        _cpu.set_integer_isa(before[1])
        _cpu.set_threads(1)
        for isa in available(_cpu.set_coding_isa, coder.ISAS):
            yield _compare("coder", isa, 1, coder.results())
    finally:
        _cpu.set_isa(before[0])
        _cpu.set_integer_isa(before[1])
        _cpu.set_coding_isa(before[2])
        _cpu.set_threads(before[3])


def available(choose: Callable[[str], object], isas: Iterable[str]) -> Iterator[str]:
    """Yield the `isas` that this machine has, each chosen until the next."""
    for isa in isas:
        try:
            choose(isa)
        except RuntimeError:  # not on this processor, or not compiled
            continue
        yield isa


def _compare(kernel: str, isa: str, threads: int, results: Iterable[tuple[str, str]]) -> Checked:
    golden, count, wrong = expected(kernel), 0, []
    for name, value in results:
        count += 1
        if golden.get(name) != value:
            wrong.append(name)
    return Checked(kernel, isa, threads, count, tuple(wrong))


def processor() -> str:
    """The processor's name, as its system gives it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith(("model name", "CPU part")))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
