"""Questions on a terminal: what ends the input is a no, and an interrupt an interrupt."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals")
ASKS = "from elman.cli.shared.training_text import agreed; print(agreed('Read it?'))"


@pytest.mark.parametrize(
    ("typed", "answer"), [(b"y\n", "True"), (b"\n", "True"), (b"n\n", "False"), (b"\x04", "False")]
)
def test_the_end_of_input_is_a_no(typed, answer):
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", ASKS], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        os.write(ours, typed)
        assert child.stdout is not None
        assert child.stdout.read().decode().split()[-1] == answer
    os.close(ours)
    os.close(theirs)
