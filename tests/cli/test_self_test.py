"""`elman self-test` compares what is computed here with the golden results, in every way that this machine has."""

from __future__ import annotations

import json
import os
import shutil
import sys

import pytest
from command_line import run

from elman import golden
from elman.cli import main
from elman.golden import coder, compare, floats, integers

_cpu = pytest.importorskip("elman.kernels._cpu", reason="the native kernel is not built")


def machine(choose, isas, before):
    try:
        return list(compare.available(choose, isas))
    finally:
        choose(before)


@pytest.mark.slow
def test_every_instruction_set_is_tried_and_equal():
    done = run("self-test", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["passed"] is True
    assert told["kernel"].startswith("cpu (")
    ways = {(part["kernel"], part["isa"], part["threads"]): part for part in told["checked"]}
    kinds = {
        "floats": machine(_cpu.set_isa, floats.ISAS, _cpu.isa()),
        "integers": machine(_cpu.set_integer_isa, integers.ISAS, _cpu.integer_isa()),
    }
    coders = machine(_cpu.set_coding_isa, coder.ISAS, _cpu.coding_isa())
    expected = {(kind, isa, threads) for kind, isas in kinds.items() for isa in isas for threads in (1, 3)}
    assert set(ways) == expected | {("coder", isa, 1) for isa in coders}
    for (kind, isa, threads), part in ways.items():
        whole = len(golden.expected(kind))
        trains = kind != "floats" or (isa, threads) != ("portable", 1)
        assert part["count"] == (whole if trains else len(floats.OPERATIONS))


@pytest.fixture
def moved(monkeypatch, tmp_path):
    """One golden result of the integer kernels is another; those of the rest, which take longer, are left out."""
    shutil.copytree(compare.HERE, tmp_path / "golden")
    path = tmp_path / "golden" / "integers.json"
    results = json.loads(path.read_text())
    results["functions"]["tanh"] = results["functions"]["sigmoid"]
    path.write_text(json.dumps(results))
    monkeypatch.setattr(compare, "HERE", tmp_path / "golden")
    monkeypatch.setattr(floats, "ISAS", ())
    monkeypatch.setattr(coder, "ISAS", ())
    monkeypatch.setattr(integers, "ISAS", ("portable",))


def test_what_differs_is_named_and_the_status_is_1(moved, monkeypatch, capsys):
    before = _cpu.isa(), _cpu.integer_isa(), _cpu.coding_isa(), _cpu.threads()
    monkeypatch.setattr(sys, "argv", ["elman", "self-test"])
    with pytest.raises(SystemExit) as done:
        main()
    told = capsys.readouterr()
    assert done.value.code == 1
    assert "integers  portable    1 thread   1 of 30 results differ" in told.out
    assert "integers  portable    3 threads  1 of 30 results differ" in told.out
    assert "differ: integers, portable, threads 3: functions/tanh" in told.err
    assert "please report" in told.err
    assert (_cpu.isa(), _cpu.integer_isa(), _cpu.coding_isa(), _cpu.threads()) == before


def test_json_says_so_too(moved, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["elman", "self-test", "--json"])
    with pytest.raises(SystemExit) as done:
        main()
    told = json.loads(capsys.readouterr().out)
    assert done.value.code == 1
    assert told["passed"] is False
    assert [part["wrong"] for part in told["checked"]] == [["functions/tanh"]] * 2


def test_without_the_native_kernel_integers_are_checked():
    done = run("self-test", env={**os.environ, "ELMAN_BACKEND": "reference"})
    assert done.returncode == 0, done.stderr
    assert "integers  numpy       1 thread   30 results equal" in done.stdout
    assert "Without the native kernel" in done.stdout
