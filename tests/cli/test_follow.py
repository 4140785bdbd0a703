"""`score --follow`: real processes on real files that grow, rotate, are cut short and outlive the watcher."""

from __future__ import annotations

import json
import os
import select
import signal
import stat
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
from command_line import PATIENCE, refused, run

import elman
from elman.cli.interactive.places import Places
from elman.cli.interactive.tail import Tail

ODD = "qqqqqqqq"
ABOVE = "19"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model that has learned its two lines well, so that others are odd."""
    path = tmp_path_factory.mktemp("follow") / "m.safetensors"
    text = "the sea is calm\nthe wind is low\nq\n" * 100
    corpus = elman.Corpus("t", text, "none", "here", True)
    trained = elman.build_model(corpus, cell="gru", hidden_size=24, init_std=None)
    elman.fit(trained, corpus, epochs=6, lr=0.02, optimizer="adam", batch_size=16, seq_length=20)
    elman.save(trained, path)
    return path


class Watcher:
    def __init__(self, model: Path, *arguments: object) -> None:
        command = [sys.executable, "-m", "elman.cli", "score", model, *arguments, "--follow", "--json"]
        self.process = subprocess.Popen(
            [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def odd(self, count: int) -> list[tuple[str, int, str]]:
        """The next odd lines: file, number, text."""
        assert self.process.stdout
        rows = [json.loads(self.process.stdout.readline()) for _ in range(count)]
        assert all(datetime.fromisoformat(row["time"]).tzinfo for row in rows)
        return [(Path(row["file"]).name, row["line"], row["text"]) for row in rows]

    def end(self, number: int = signal.SIGTERM) -> tuple[str, str]:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode in (128 + number, -number)
        return out, err


def add(path, *lines):
    with open(path, "a", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))


@pytest.mark.slow
def test_growth_rotation_cuts_and_restarts(model, tmp_path, default_signals):
    a, b, place = tmp_path / "a.log", tmp_path / "b.log", tmp_path / "place"
    add(a, "the sea is calm", ODD + "1", "the wind is low")
    arguments = (a, b, "--above", ABOVE, "--place", place)
    with Watcher(model, *arguments) as watcher:
        assert watcher.odd(1) == [("a.log", 2, ODD + "1")]
        add(b, ODD + "2")  # a file that was missing
        assert watcher.odd(1) == [("b.log", 1, ODD + "2")]
        add(a, "the sea is calm", ODD + "3")
        assert watcher.odd(1) == [("a.log", 5, ODD + "3")]
        a.rename(tmp_path / "a.log.1")
        add(tmp_path / "a.log.1", ODD + "4")  # a writer that has it open still
        add(a, "the wind is low", ODD + "5")
        assert watcher.odd(2) == [("a.log", 6, ODD + "4"), ("a.log", 2, ODD + "5")]
        with b.open("r+") as file:  # copied and cut
            file.truncate(0)
        time.sleep(0.5)
        add(b, ODD + "6")
        assert watcher.odd(1) == [("b.log", 1, ODD + "6")]
        with a.open("a") as file:
            file.write(ODD)  # not a line yet
        assert watcher.end()[0] == ""
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    add(a, "7")
    a.rename(tmp_path / "a.log.2")  # while nobody watches
    add(a, ODD + "8")
    with Watcher(model, *arguments) as watcher:
        assert watcher.odd(2) == [("a.log", 3, ODD + "7"), ("a.log", 1, ODD + "8")]
        out, err = watcher.end(signal.SIGINT)
        assert out == ""
        assert "Traceback" not in err


@pytest.mark.slow
def test_limits_and_hooks(model, tmp_path, default_signals):
    log, told = tmp_path / "a.log", tmp_path / "told"
    add(log, *(ODD + str(number) for number in range(9)))
    with Watcher(model, log, "--above", ABOVE, "--limit", 2, "--exec", f"cat >> '{told}'; exit 3") as watcher:
        assert [line for _, line, _ in watcher.odd(2)] == [1, 2]
        while told.read_text().count("\n") < 2:
            time.sleep(0.05)
        out, err = watcher.end()
    assert out == ""
    assert [json.loads(line)["text"] for line in told.read_text().splitlines()] == [ODD + "0", ODD + "1"]
    assert err.splitlines()[0].endswith(": status 3")
    with Watcher(model, log, "--above", ABOVE, "--from-end") as watcher:
        assert watcher.process.stdout
        while not select.select([watcher.process.stdout], [], [], 0.3)[0]:  # until it has begun
            add(log, ODD + "new")
        assert watcher.odd(1)[0][2] == ODD + "new"
        watcher.end()


@pytest.mark.slow
def test_counts_for_prometheus(model, tmp_path, default_signals):
    a, b, kept = tmp_path / "a.log", tmp_path / 'b".log', tmp_path / "elman.prom"
    add(a, "the sea is calm", ODD, "the wind is low")
    add(b, "the sea is calm")
    with Watcher(model, a, b, "--above", ABOVE, "--metrics", kept) as watcher:
        assert len(watcher.odd(1)) == 1
        before = kept.read_text()
        add(b, ODD + "1")
        assert len(watcher.odd(1)) == 1
        watcher.end()
    assert before.count("\n") == 12, "written before a line was read"
    lines = [line.rpartition(" ") for line in kept.read_text().splitlines() if not line.startswith("#")]
    found = {name: float(value) for name, _, value in lines}
    name = str(b).replace('"', '\\"')
    assert found[f'elman_lines_total{{file="{a}"}}'] == 3
    assert found[f'elman_odd_lines_total{{file="{a}"}}'] == 1
    assert found[f'elman_lines_total{{file="{name}"}}'] == 2
    assert found[f'elman_odd_lines_total{{file="{name}"}}'] == 1
    text = "the sea is calm\n" + ODD + "1\n"
    cost = elman.score(elman.load(model), text, records=True).bits
    assert found[f'elman_bits_total{{file="{name}"}}'] == pytest.approx(cost)


def lines(tail: Tail) -> list[tuple[int, bytes]]:
    found = []
    for line in tail.poll():
        tail.passed(line)
        found.append((line.number, line.data))
    return found


def test_a_tail(tmp_path):
    log = tmp_path / "a [1]*.log"
    tail = Tail(str(log))
    assert lines(tail) == []
    assert tail.place() is None
    log.write_bytes(b"one\ntwo")
    assert lines(tail) == [(1, b"one")]
    with log.open("ab") as file:
        file.write(b" and a half\nthree\n")
    assert lines(tail) == [(2, b"two and a half"), (3, b"three")]
    place = tail.place()
    assert place is not None
    assert place["offset"] == log.stat().st_size
    log.write_bytes(b"another text of more bytes than before, so its size tells nothing\n")  # cut and refilled
    assert lines(tail) == []
    assert lines(tail) == [(1, b"another text of more bytes than before, so its size tells nothing")]
    log.rename(tmp_path / "a [1]*.log.1")
    with (tmp_path / "a [1]*.log.1").open("ab") as file:
        file.write(b"last\nwithout end")
    log.write_bytes(b"new\n")
    again = Tail(str(log), tail.place())
    for each in (tail, again):
        assert lines(each) == [(2, b"last"), (3, b"without end")]
        assert lines(each) == [(1, b"new")]
        assert lines(each) == []
    gone, late = Tail(str(log), place | {"inode": 1}), Tail(str(log), from_end=True)
    assert lines(gone) == [(1, b"new")]
    assert lines(late) == []
    with log.open("ab") as file:
        file.write(b"newer\n")
    assert lines(late) == [(2, b"newer")]
    for each in (tail, again, gone, late):
        each.close()


def test_a_place_is_checked(tmp_path):
    path, log = tmp_path / "p", tmp_path / "l"
    log.write_bytes(b"one\n")
    tail, places = Tail(str(log)), Places(path)
    lines(tail)
    places.keep(tail)
    assert Places(path).get(str(log)) == tail.place()
    tail.close()
    kept = json.loads(path.read_text())
    for wrong in (
        "",
        "[]",
        "{}",
        '{"places": {"a": 1}}',
        json.dumps(kept).replace('"line": 1', '"line": -1'),
        "[" * 9999,
    ):
        path.write_text(wrong)
        with pytest.raises(elman.InputError, match="not a file of places"):
            Places(path)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("a", "--follow"), "--follow writes odd lines of files: give --above BITS"),
        (("-", "--above", "3", "--follow"), "--follow writes odd lines of files"),
        (("a", "--above", "3", "--follow", "--top", "3"), "without other listings"),
        (("a", "--above", "3", "--limit", "3"), "--place, --from-end, --limit, --exec and --metrics are of --follow"),
        (("a", "--above", "3", "--follow", "--limit", "0"), "--limit must be at least 1, got 0"),
        (("a", "--above", "3", "--follow", "--encoding", "utf-16"), "a line end is one byte; got utf-16"),
        (("a", "--above", "3", "--follow", "--encoding", "no-such"), "cannot be read as no-such"),
        (("a", "--above", "much"), "--above: expected bits or auto, got 'much'"),
        (("a", "--above", "auto"), "is not calibrated; run `elman calibrate"),
    ],
)
def test_what_does_not_fit_is_one_line(model, tmp_path, arguments, line):
    (tmp_path / "a").write_text("one\n")
    refused(run("score", model, *arguments, cwd=tmp_path), line)


def test_calibrate(model, tmp_path):
    ordinary, other = tmp_path / "o.txt", tmp_path / "m.safetensors"
    ordinary.write_text("the sea is calm\nthe wind is low\n\n" * 100)
    path = tmp_path / "mine.safetensors"
    path.write_bytes(model.read_bytes())
    os.chmod(path, 0o600)
    done = run("calibrate", path, ordinary, "--quantile", 0.99, "-o", other, "--json")
    found = json.loads(done.stdout)
    assert found["lines"] == 200
    bursts = elman.score(elman.load(path), ordinary.read_text()).lines().bursts
    assert min(bursts) <= found["burst"] <= max(bursts)
    assert stat.S_IMODE(other.stat().st_mode) == 0o600
    assert elman.load(other).digest() == elman.load(path).digest()
    before = path.read_bytes()
    refused(run("calibrate", path, ordinary), "200 lines say nothing of a quantile of 0.999; expected at least 1,000")
    refused(run("calibrate", "english", ordinary), "comes with the package and is not changed")
    refused(run("calibrate", path, ordinary, "--quantile", 1), "--quantile must be above 0 and below 1")
    assert path.read_bytes() == before
    assert run("calibrate", path, ordinary, "--quantile", 0.99).returncode == 0
    add(ordinary, ODD)
    done = run("score", path, ordinary, "--above", "auto", "--json")
    assert done.returncode == 1
    texts = [json.loads(line)["text"] for line in done.stdout.splitlines()]
    assert ODD in texts
    by_number = run("score", path, ordinary, "--above", found["burst"], "--json")
    assert by_number.stdout == done.stdout
