"""A signal ends a command also while one native call runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from command_line import PATIENCE

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
BUSY = """
import hashlib, signal
from elman.cli.shared.signals import ending_by_signal
from elman.files import staged
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    with ending_by_signal(), staged("result") as file:
        file.write(b"half")
        print("ready", flush=True)
        hashlib.pbkdf2_hmac("sha256", b"x", b"x", 2**31 - 1)  # half an hour of one call without Python's lock
except KeyboardInterrupt:
    raise SystemExit(130)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_call_that_runs_long_is_no_shelter(tmp_path, number):
    reset = lambda: [signal.signal(each, signal.SIG_DFL) for each in (signal.SIGTERM, signal.SIGHUP)]  # noqa: E731
    child = subprocess.Popen(
        [sys.executable, "-c", BUSY], cwd=tmp_path, stdout=subprocess.PIPE, preexec_fn=reset, text=True
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        assert [path.name for path in tmp_path.iterdir()] == [".result.elman0"]
        time.sleep(0.3)  # by now the call has begun, or the signal comes before it
        child.send_signal(number)
        assert child.wait(timeout=PATIENCE) == 128 + number
    finally:
        child.kill()
        child.communicate()
    assert list(tmp_path.iterdir()) == []


DROPPED = """
import os, signal, sys, time, weakref
from elman.cli.shared.signals import ending_by_signal
signal.signal(signal.SIGINT, signal.default_int_handler)

class Thing:
    pass

def callback(_):
    os.kill(os.getpid(), int(sys.argv[1]))
    time.sleep(1)  # where the handler runs, in a callback, whose exceptions Python drops

try:
    with ending_by_signal():
        thing = Thing()
        reference = weakref.ref(thing, callback)
        del thing
        time.sleep(600)
except KeyboardInterrupt:
    raise SystemExit(130)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_in_a_callback_is_not_dropped(number):
    reset = lambda: [signal.signal(each, signal.SIG_DFL) for each in (signal.SIGTERM, signal.SIGHUP)]  # noqa: E731
    done = subprocess.run(
        [sys.executable, "-c", DROPPED, str(int(number))], capture_output=True, preexec_fn=reset, timeout=PATIENCE
    )
    assert (done.returncode, done.stderr) == (128 + number, b"")
