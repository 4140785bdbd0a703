"""What several installations take: bytes, packages, and CPU time of a command's start, all measured in one run.

    python benchmarks/installed.py LABEL=PYTHON...

Each PYTHON belongs to an environment that has Elman and nothing else, such as an earlier commit and this tree's wheel.
Bytes are what `pip install --no-compile` writes, without pip itself. Modules are compiled before the starts, as pip
compiles them by default. The processes of all environments take turns, ROUNDS times; each number is a median.
"""

from __future__ import annotations

import compileall
import statistics
import subprocess
import sys
from pathlib import Path

from harness import processor, write
from start import cpu

ROUNDS = 15
STARTS = {
    "version_ms": ["--version"],
    "help_ms": ["--help"],
    "info_ms": ["info", "english"],
    "train_help_ms": ["train", "--help"],
}
NOT_OURS = ("pip", "setuptools", "pkg_resources", "wheel", "_distutils_hack", "distutils-precedence")


def site(python: str) -> Path:
    """The folder of an environment's packages."""
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return Path(subprocess.run([python, "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout.strip())


def size(packages: Path) -> dict[str, int]:
    """Bytes and packages, without bytecode and without the tools that a new environment has."""
    ours = [entry for entry in packages.iterdir() if entry.name.split("-")[0].split(".")[0] not in NOT_OURS]
    files = [path for entry in ours for path in ([entry] if entry.is_file() else entry.rglob("*")) if path.is_file()]
    return {
        "bytes": sum(path.stat().st_size for path in files if path.suffix != ".pyc"),
        "packages": sum(entry.suffix == ".dist-info" for entry in ours),
    }


def main() -> None:
    pythons = dict(argument.split("=", 1) for argument in sys.argv[1:])
    assert pythons, __doc__
    rows: dict[str, dict[str, object]] = {}
    for label, python in pythons.items():
        packages = site(python)
        rows[label] = {"installed": label, **size(packages)}
        compileall.compile_dir(packages, quiet=2)
    times: dict[tuple[str, str], list[float]] = {}
    for _ in range(ROUNDS):
        for name, arguments in STARTS.items():
            for label, python in pythons.items():
                taken = cpu([str(Path(python).parent / "elman"), *arguments])
                times.setdefault((label, name), []).append(1000 * taken)
    for (label, name), each in times.items():
        rows[label][name] = round(statistics.median(each))
    for row in rows.values():
        print(row)
    write("installed", [{**row, "processor": processor()} for row in rows.values()])


if __name__ == "__main__":
    main()
