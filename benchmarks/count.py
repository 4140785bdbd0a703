"""How many instructions does each small job take, and has that changed? No other program's work is in such a number.

    python benchmarks/count.py            compare with results/instructions.csv: a change above 3 % fails
    python benchmarks/count.py --write    write that file anew

A step's parts for each cell, a whole step, a stream of integers, a KB coded and a line got from a store (count.cpp),
each under valgrind's callgrind on one thread, by the AVX2 and the portable kernels; valgrind 3.19 knows no AVX-512. A
job that changed is shown with the functions that made the difference. Counts are one compiler's: the file says whose,
and with another this stops with exit status 2 and compares nothing.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness import RESULTS, write

NATIVE = Path(__file__).parents[1] / "src" / "native"
JOBS = [f"{cell}_{way}" for cell in ("rnn_relu", "rnn_tanh", "gru", "lstm") for way in ("forward", "backward")]
JOBS += ["loss", "loss_backward", "step", "stream_8", "stream_4", "code_1kb", "get"]
MACHINE = {"avx2": ["-mavx2", "-mfma"], "portable": []}
MOST = 0.03
"""The change that is let pass, of a job's instructions."""
ALL = "all"
"""In place of a function: the job's total."""


def build(compiler: str, folder: Path) -> Path:
    """The program of count.cpp, optimised as the package is."""
    exact = (NATIVE / "exact_flags.txt").read_text(encoding="utf-8").split()
    flags = ["-std=c++17", "-O3", "-g", *exact, "-pthread", "-iquote", str(NATIVE), "-DELMAN_X86"]
    units: list[tuple[str, Path, list[str]]] = []
    for isa, machine in {**MACHINE, "avx512": ["-mavx512f", "-mavx512dq", "-mfma", "-O0"]}.items():  # which never runs
        named = [f"-DELMAN_ISA_NAME={isa}", f"-DELMAN_{isa.upper()}", *machine]
        units.append((f"float_{isa}", NATIVE / "float" / "isa.cpp", named))
        if isa in MACHINE:
            units.append((f"integer_{isa}", NATIVE / "integer" / "isa.cpp", named))
    others = [
        "integer/packed",
        *(f"float/{path.stem}" for path in (NATIVE / "float").glob("*.cpp") if path.stem != "isa"),
    ]
    others += [f"coding/{path.stem}" for path in (NATIVE / "coding").glob("*.cpp")]
    others += [f"team/{path.stem}" for path in (NATIVE / "team").glob("*.cpp") if path.stem != "alone"]
    units += [(name.replace("/", "_"), NATIVE / f"{name}.cpp", []) for name in others]
    units.append(("main", Path(__file__).with_name("count.cpp"), []))

    def compiled(unit: tuple[str, Path, list[str]]) -> None:
        name, source, extra = unit
        subprocess.run([compiler, *flags, *extra, "-c", str(source), "-o", str(folder / f"{name}.o")], check=True)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(compiled, units))
    program = folder / "count"
    objects = [str(folder / f"{name}.o") for name, _, _ in units]
    subprocess.run([compiler, "-pthread", *objects, "-o", str(program)], check=True)
    return program


def count(program: Path, job: str, path: str) -> dict[str, int]:
    """Instructions of each function, and of all of them together, while the job runs once."""
    out = program.with_name("callgrind.out")
    tool = ["valgrind", "--tool=callgrind", "--toggle-collect=measured", f"--callgrind-out-file={out}"]
    environment = os.environ | {"ELMAN_ISA": path, "ELMAN_THREADS": "1"}
    subprocess.run([*tool, str(program), job, path], env=environment, check=True, capture_output=True)
    annotate = ["callgrind_annotate", "--threshold=100", "--auto=no", str(out)]
    listed = subprocess.run(annotate, check=True, capture_output=True, text=True)
    functions: dict[str, int] = {}
    for line in listed.stdout.splitlines():
        if found := re.match(r"\s*([\d,]+) \(\s*[\d.]+%\)\s+(.*)", line):
            number = int(found[1].replace(",", ""))
            name = ALL if found[2].startswith("PROGRAM TOTALS") else short(found[2])
            functions[name] = functions.get(name, 0) + number
    return functions


def short(name: str) -> str:
    """A function's name without its file, its arguments and the namespaces that all have."""
    name = re.sub(r" \[.*\]$", "", name.split(":", 1)[-1])
    name = re.sub(r"elman::|\(anonymous namespace\)::|avx2::|portable::|integer::|coding::|'\d+$", "", name)
    depth, kept = 0, ""
    for letter in name:
        depth -= letter == ")"
        kept += letter if not depth and letter not in "()" else ""
        depth += letter == "("
    return kept[:100].strip()


def compare(old: list[dict[str, str]], counted: dict[tuple[str, str], dict[str, int]]) -> list[str]:
    """What changed too much, each job with the functions to which most of it is due."""
    before: dict[tuple[str, str], dict[str, int]] = {}
    for row in old:
        before.setdefault((row["path"], row["job"]), {})[row["function"]] = int(row["instructions"])
    wrong = []
    for key, functions in counted.items():
        if key not in before:
            wrong.append(f"{' '.join(key)}: not in the file; --write adds it")
            continue
        was, now = before[key][ALL], functions[ALL]
        if abs(now - was) <= MOST * was:
            continue
        moved = {name: functions.get(name, 0) - before[key].get(name, 0) for name in functions | before[key]}
        worst = sorted((name for name in moved if name != ALL), key=lambda name: -abs(moved[name]))[:3]
        named = ", ".join(f"{name} {moved[name]:+,}" for name in worst)
        wrong.append(f"{' '.join(key)}: {was:,} -> {now:,} instructions ({now / was - 1:+.1%}): {named}")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write results/instructions.csv")
    parser.add_argument("--jobs", default=",".join(JOBS), help="some of them")
    given = parser.parse_args()
    compiler = os.environ.get("CXX", "g++")
    for tool in (compiler, "valgrind", "callgrind_annotate"):
        if not shutil.which(tool):
            print(f"{tool} is not installed; valgrind and a C++ compiler are needed", file=sys.stderr)
            return 2
    made_by = subprocess.run([compiler, "--version"], check=True, capture_output=True, text=True).stdout.splitlines()[0]
    file = RESULTS / "instructions.csv"
    old: list[dict[str, str]] = []
    if not given.write:
        if not file.exists():
            print(f"{file} is not there; make it with --write", file=sys.stderr)
            return 2
        with file.open(newline="", encoding="utf-8") as source:
            old = list(csv.DictReader(source))
        if old[0]["compiler"] != made_by:
            print(
                f"{file.name} was counted with {old[0]['compiler']}, and this is {made_by}: not comparable. "
                "Count the commit before with --write, then this one",
                file=sys.stderr,
            )
            return 2
    with tempfile.TemporaryDirectory() as folder:
        program = build(compiler, Path(folder))
        counted = {}
        for path in MACHINE:
            for job in given.jobs.split(","):
                counted[path, job] = count(program, job, path)
                print(f"{path:<10}{job:<20}{counted[path, job][ALL]:14,}", flush=True)
    if given.write:
        rows: list[dict[str, object]] = []
        for (path, job), functions in counted.items():
            for name, number in sorted(functions.items(), key=lambda item: -item[1]):
                if number >= 0.01 * functions[ALL]:
                    row: dict[str, object] = {"path": path, "job": job, "function": name, "instructions": number}
                    rows.append(row | {"compiler": made_by})
        print(f"wrote {write('instructions', rows)}")
        return 0
    wrong = compare(old, counted)
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
