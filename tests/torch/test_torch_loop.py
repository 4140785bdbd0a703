"""The torch loop of docs/how-to/torch-loop.md does what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "torch-loop.md"


@pytest.mark.skipif(not PAGE.is_file(), reason="the tests run outside a checkout, without its docs")
def test_the_torch_loop(capsys):
    text, threads = PAGE.read_text(encoding="utf-8"), torch.get_num_threads()
    ((code, shown),) = re.findall(r"```python\n(import torch\n.*?)```\n\n((?:    [^\n]*\n)+)", text, re.S)
    try:
        exec(compile(code, "torch-loop.md", "exec"), {})
    finally:
        torch.set_num_threads(threads)
    *losses, written = capsys.readouterr().out.splitlines()
    *expected, continued = (line.removeprefix("    ") for line in shown.splitlines())
    for line, other in zip(losses, expected, strict=True):
        assert line.split()[0] == other.split()[0]
        assert float(line.split()[1]) == pytest.approx(float(other.split()[1]), abs=0.01)
    assert len(written) == len(continued)
