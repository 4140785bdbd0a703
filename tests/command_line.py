"""The command as a process of its own, forked from the one that tests: which has everything imported already."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import IO

PATIENCE = 600.0
"""Seconds after which a test that waits for something gives up: far more than the slowest machine takes."""


def run(
    *arguments: object,
    stdin: str = "",
    cwd: Path | str | None = None,
    env: Mapping[str, str] | None = None,
    fresh: bool = False,
) -> subprocess.CompletedProcess[str]:
    """`elman ARGUMENTS`, with its status and what it printed. fresh: in an interpreter of its own."""
    command = ["elman", *map(str, arguments)]
    if fresh or not hasattr(os, "fork"):
        command = [sys.executable, "-m", "elman.cli", *command[1:]]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=PATIENCE, cwd=cwd, env=env)
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin.encode())
        given.seek(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the kernel's threads are known not to survive
            child = os.fork()
        if child == 0:
            _be_the_command(command, [given, out, err], cwd, env)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return subprocess.CompletedProcess(command, status, *texts)


def _be_the_command(
    command: list[str], files: list[IO[bytes]], cwd: Path | str | None, env: Mapping[str, str] | None
) -> None:
    status, encoding = 1, (os.environ if env is None else env).get("PYTHONIOENCODING", "utf-8")
    try:
        for number, file in enumerate(files):
            os.dup2(file.fileno(), number)
        for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
            stream = io.TextIOWrapper(open(number, f"{mode}b", closefd=False), encoding)  # noqa: SIM115
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
        if cwd is not None:
            os.chdir(cwd)
        if env is not None:
            os.environ.clear()
            os.environ.update(env)
        sys.argv = command
        from elman.cli import main

        try:
            main()
            status = 0
        except SystemExit as done:
            status = done.code if isinstance(done.code, int) else int(bool(done.code))
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def refused(done: subprocess.CompletedProcess[str], expected: str) -> None:
    """It ended with status 2 and one line that holds this."""
    assert done.returncode == 2, done.stdout + done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("elman: ")
    assert expected in lines[0]
