"""What several of the command's tests share."""

from __future__ import annotations

import sys

import pytest

from elman.cli import main


@pytest.fixture
def command(monkeypatch, capsys):
    """Run the command in this process; its standard output."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["elman", *map(str, arguments)])
        with pytest.raises(SystemExit) as done:
            main()
        captured = capsys.readouterr()
        assert not done.value.code, captured.err
        return captured.out

    return call
