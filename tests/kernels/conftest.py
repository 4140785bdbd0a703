"""Every test here is of the native kernel: it needs one, and leaves the instruction set and the threads as before."""

from __future__ import annotations

import pytest

from elman import kernels


@pytest.fixture(autouse=True)
def native():
    name, why = kernels.serving()
    if name != "cpu":
        pytest.skip(f"the native kernel does not serve here: {why}")
    from elman.kernels import _cpu

    isa, threads = _cpu.isa(), _cpu.threads()
    yield
    _cpu.set_isa(isa)
    _cpu.set_threads(threads)
