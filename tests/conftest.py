"""What tests in several places share."""

from __future__ import annotations

import signal
import sys

import pytest

from elman.cli import main


@pytest.fixture
def default_signals():
    """Signals do what they do at a terminal, also where the shell that started the tests ignores some: those of a job
    in the background ignore SIGINT, those of nohup SIGHUP, and children would inherit that."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL}
    ignored = [number for number in usual if signal.getsignal(number) == signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, usual[number])
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


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
