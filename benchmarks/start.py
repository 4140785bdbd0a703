"""How much CPU time a command takes before it does anything, above the libraries that it needs in any case.

    python benchmarks/start.py

Each row is the median of ROUNDS processes; all rows take turns, so a busy machine slows them alike. Modules are
compiled beforehand, as `make` and pip do. A command that takes more above its libraries than MOST makes the exit
status 1.
"""

from __future__ import annotations

import compileall
import csv
import os
import statistics
import subprocess
import sys
from pathlib import Path

import numpy
import rich
import typer
from harness import processor

import elman
from elman.cli import COMMANDS

ROUNDS = 7
OUTPUT = Path(__file__).parents[1] / "results" / "start.csv"
LIGHT, HEAVY = "import typer, rich", "import numpy, typer, rich"
MOST = {LIGHT: 40, HEAVY: 60}
"""Milliseconds above what a command needs in any case: `--version` and `--help` the first, others the second."""
RUN = ("info english", "corpora", "recipes", "cache")
"""Commands that do at once what they do; of the others the help is asked for."""


def cpu(arguments: list[str]) -> float:
    """Seconds of CPU time, of user and system, that a process takes."""
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, arguments
    return used.ru_utime + used.ru_stime


def main() -> int:
    for folder in {Path(module.__file__).parent for module in (elman, numpy, typer, rich) if module.__file__}:
        compileall.compile_dir(folder, quiet=2)
    elman_command = [sys.executable, "-m", "elman.cli"]
    rows = {f"python -c '{code}'": [sys.executable, "-c", code] for code in (LIGHT, HEAVY)}
    rows |= {f"elman {option}": [*elman_command, option] for option in ("--version", "--help")}
    rows |= {f"elman {line}": [*elman_command, *line.split()] for line in RUN}
    shown = [name for name, entry in COMMANDS.items() if not entry.hidden]
    rows |= {f"elman {name} --help": [*elman_command, name, "--help"] for name in shown}
    times: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(ROUNDS):
        for name, arguments in rows.items():
            times[name].append(1000 * cpu(arguments))
    medians = {name: statistics.median(each) for name, each in times.items()}
    bases = dict(zip((LIGHT, HEAVY), medians.values(), strict=False))
    slow = []
    with open(OUTPUT, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["process", "cpu_ms", "above_ms", "above", "most_ms", "processor"])
        for name, median in medians.items():
            of = LIGHT if name in ("elman --version", "elman --help") else HEAVY
            above = [] if name.startswith("python") else [round(median - bases[of]), of, MOST[of]]
            writer.writerow([name, round(median), *(above or ["", "", ""]), processor()])
            over = above and median - bases[of] > MOST[of]
            slow += [name] if over else []
            print(f"{name:<40} {median:7.0f} ms  {above[0] if above else '':>5}{'  <- too slow' if over else ''}")
    if slow:
        print(f"slower than they may be: {', '.join(slow)}", file=sys.stderr)
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
