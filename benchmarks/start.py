"""How much CPU time a command takes before it does anything, above the libraries that it needs in any case.

    python benchmarks/start.py

Each row is the median of ROUNDS processes; all rows take turns, so a busy machine slows them alike.
"""

from __future__ import annotations

import csv
import os
import statistics
import subprocess
import sys
from pathlib import Path

from elman.cli import COMMANDS

ROUNDS = 5
OUTPUT = Path(__file__).parents[1] / "results" / "start.csv"
LIGHT, HEAVY = "import typer, rich", "import numpy, typer, rich"


def cpu(arguments: list[str]) -> float:
    """Seconds of CPU time, of user and system, that a process takes."""
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, arguments
    return used.ru_utime + used.ru_stime


def main() -> None:
    elman = [sys.executable, "-m", "elman.cli"]
    rows = {f"python -c '{code}'": [sys.executable, "-c", code] for code in (LIGHT, HEAVY)}
    rows |= {f"elman {option}": [*elman, option] for option in ("--version", "--help")}
    rows |= {f"elman {name} --help": [*elman, name, "--help"] for name, entry in COMMANDS.items() if not entry.hidden}
    times: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(ROUNDS):
        for name, arguments in rows.items():
            times[name].append(1000 * cpu(arguments))
    medians = {name: statistics.median(each) for name, each in times.items()}
    light, heavy = list(medians.values())[:2]
    with open(OUTPUT, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["process", "cpu_ms", "above_ms", "above"])
        for name, median in medians.items():
            base, what = (light, LIGHT) if name in ("elman --version", "elman --help") else (heavy, HEAVY)
            above = ["", ""] if name.startswith("python") else [f"{median - base:.0f}", what]
            writer.writerow([name, f"{median:.0f}", *above])
            print(f"{name:<40} {median:7.0f} ms  {above[0]:>5}")


if __name__ == "__main__":
    main()
