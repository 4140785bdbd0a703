"""Commands as a shell runs them: each folder of tests/commands is a case.

    cmd      a script of sh, run with -e in an empty folder; $PYTHON is this one, and `elman` is on the path
    out      what is printed, standard error with standard output: exact
    status   of the script, if it is not 0
    left     what lies there afterwards: kind, mode, name, and the content of what is short
    needs    root, mount or mknod, if one is needed

`python tests/cli/test_commands.py CASE ...` writes out, status and left anew, for whoever changes a case to read.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from command_line import PATIENCE

CASES = Path(__file__).parents[1] / "commands"
NAMES = sorted(path.parent.name for path in CASES.glob("*/cmd"))


def lacking(case: Path) -> str:
    """Why the case cannot run here; empty if it can."""
    if not hasattr(os, "fork"):
        return "needs a POSIX shell"
    if not (case / "needs").exists():
        return ""
    needs = (case / "needs").read_text().split()
    if os.geteuid():
        return f"needs root: {' '.join(needs)}"
    trial = {"root": "true", "mknod": "mknod x c 1 3", "mount": "mkdir x && mount -t tmpfs none x && umount x"}
    with tempfile.TemporaryDirectory() as folder:
        for need in needs:
            if subprocess.run(["sh", "-c", trial[need]], cwd=folder, capture_output=True).returncode:
                return f"needs to be allowed to {need}"
    return ""


def as_at_a_terminal() -> None:
    """Signals and umask as a login gives them, whatever the tests were started with."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.umask(0o022)


def ran(case: Path, folder: Path) -> dict[str, str]:
    """What the case's script printed, its status, and what it left."""
    bin_ = folder / "bin"
    bin_.mkdir()
    elman = bin_ / "elman"
    elman.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m elman.cli "$@"\n')
    elman.chmod(0o755)
    work = folder / "work"
    work.mkdir()
    env = {"PATH": f"{bin_}:{os.environ['PATH']}", "HOME": str(folder / "home"), "LC_ALL": "C.UTF-8", "TERM": "dumb",
           "PYTHON": sys.executable, "ELMAN_THREADS": "1", "COLUMNS": "200", "CASE": str(case)}  # fmt: skip
    done = subprocess.run(
        ["sh", "-e", str(case / "cmd")], cwd=work, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=PATIENCE, preexec_fn=as_at_a_terminal,
    )  # fmt: skip
    shown = done.stdout.decode("utf-8", "backslashreplace")
    return {"out": shown, "status": f"{done.returncode}\n", "left": left(work)}


def left(folder: Path) -> str:
    lines = []
    for path in sorted(Path(os.fsdecode(p)) for p in folder.rglob("*")):
        status, name = path.lstat(), str(path.relative_to(folder))
        line = f"{stat.filemode(status.st_mode)} {name.encode('utf-8', 'surrogateescape')!r}"
        if path.is_symlink():
            line += f" -> {os.readlink(path)}"
        elif stat.S_ISREG(status.st_mode):
            data = path.read_bytes()
            line += f" {data!r}" if len(data) <= 24 else f" {len(data)} bytes, {hashlib.sha256(data).hexdigest()[:8]}"
        lines.append(line + "\n")
    return "".join(lines)


def expected(case: Path) -> dict[str, str]:
    found = {name: (case / name).read_text() for name in ("out", "status", "left") if (case / name).exists()}
    return {"out": "", "status": "0\n", "left": ""} | found


@pytest.mark.parametrize("name", NAMES)
def test_case(name, tmp_path):
    if reason := lacking(CASES / name):
        pytest.skip(reason)
    assert ran(CASES / name, tmp_path) == expected(CASES / name)


def test_there_are_cases():
    assert len(NAMES) > 20


if __name__ == "__main__":
    for name in sys.argv[1:] or NAMES:
        place = CASES / name
        if reason := lacking(place):
            print(f"{name}: {reason}")
            continue
        with tempfile.TemporaryDirectory() as folder:
            for part, text in ran(place, Path(folder)).items():
                (place / part).unlink(missing_ok=True)
                if text != {"out": "", "status": "0\n", "left": ""}[part]:
                    (place / part).write_text(text)
        shutil.rmtree(place / "__pycache__", ignore_errors=True)
        print(name)
