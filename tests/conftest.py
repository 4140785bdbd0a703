"""What tests in several places share."""

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


@pytest.fixture(params=["portable", "avx2", "avxvnni", "avx512vnni", "neon", "neondot"])
def integer_isa(request):
    """The instruction set that serves the integer kernels meanwhile: each that this machine has."""
    _cpu = pytest.importorskip("elman.kernels._cpu", reason="the native kernel is not built")
    before = _cpu.integer_isa()
    try:
        _cpu.set_integer_isa(request.param)
    except RuntimeError as error:
        pytest.skip(str(error))
    yield request.param
    _cpu.set_integer_isa(before)
