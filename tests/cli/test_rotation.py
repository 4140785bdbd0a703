"""`score --follow` and logs that rotate: by logrotate itself, twice, compressed, copied, while nobody watches."""

from __future__ import annotations

import gzip
import lzma
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from elman.cli.interactive.tail import Tail

LOGROTATE = shutil.which("logrotate") or shutil.which("logrotate", path="/usr/sbin:/sbin")
needs_logrotate = pytest.mark.skipif(LOGROTATE is None, reason="needs logrotate")


def add(path: Path, *lines: str) -> None:
    with path.open("a") as file:
        file.write("".join(f"{line}\n" for line in lines))


def told(tail: Tail) -> list[str]:
    """What comes until nothing does."""
    found: list[str] = []
    for _ in range(6):
        for line in tail.poll():
            tail.passed(line)
            found.append(line.data.decode())
    return found


class Log:
    """A log and logrotate's settings for it."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self.path, self._state, self._settings = folder / "app.log", folder / "state", folder / "conf"
        self._settings.write_text(f"{self.path} {{\n" + "".join(f"  {line}\n" for line in settings) + "}\n")

    def rotate(self) -> None:
        assert LOGROTATE
        command = [LOGROTATE, "--force", "--state", self._state, self._settings]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


WAYS = {
    "renamed": ("rotate 5", "create 0600"),
    "compressed": ("rotate 5", "create 0600", "compress"),
    "compressed later": ("rotate 5", "create 0600", "compress", "delaycompress"),
    "compressed by xz": ("rotate 5", "create 0600", "compress", "compresscmd xz", "compressext .xz"),
    "copied": ("rotate 5", "copytruncate"),
    "copied and compressed": ("rotate 5", "copytruncate", "compress"),
    "dated": ("rotate 5", "create 0600", "dateext", "dateformat -%Y%m%d%H%s"),
}


@needs_logrotate
@pytest.mark.parametrize("way", WAYS)
def test_logrotate(way, tmp_path):
    log = Log(tmp_path, *WAYS[way])
    add(log.path, "a line that begins the log", "1", "2")
    tail = Tail(str(log.path))
    assert told(tail) == ["a line that begins the log", "1", "2"]
    place = tail.place()
    add(log.path, "3")
    log.rotate()
    add(log.path, "4", "5")
    assert told(tail) == ["3", "4", "5"]
    tail.close()
    again = Tail(str(log.path), place)  # as if all that had happened while nobody watched
    assert told(again) == ["3", "4", "5"]
    place = again.place()
    again.close()
    last = Tail(str(log.path), place)
    assert told(last) == []
    last.close()


@needs_logrotate
@pytest.mark.parametrize("way", [way for way in WAYS if way != "dated"])
def test_twice_while_nobody_watches(way, tmp_path):
    log = Log(tmp_path, *WAYS[way])
    add(log.path, "a line that begins the log", "1")
    tail = Tail(str(log.path))
    told(tail)
    place = tail.place()
    tail.close()
    for number in "246":
        add(log.path, number, str(int(number) + 1))
        log.rotate()
    add(log.path, "8")
    again = Tail(str(log.path), place)
    assert told(again) == ["2", "3", "4", "5", "6", "7", "8"]
    add(log.path, "9")
    assert told(again) == ["9"]
    again.close()


@pytest.mark.parametrize(("ending", "module"), [(".gz", gzip), (".xz", lzma)])
def test_a_damaged_archive_ends_where_it_is_damaged(ending, module, tmp_path, capsys):
    log, old = tmp_path / "app.log", tmp_path / f"app.log.1{ending}"
    add(log, "first")
    tail = Tail(str(log))
    assert told(tail) == ["first"]
    place = tail.place()
    tail.close()
    content = b"first\nsecond\n" + os.urandom(200_000).hex().encode()
    data = module.compress(content)
    old.write_bytes(data[: len(data) // 2])
    log.unlink()
    add(log, "new")
    again = Tail(str(log), place)
    lines = told(again)
    assert (lines[0], lines[-1]) == ("second", "new")
    assert f"{old}: damaged; its rest was not read" in capsys.readouterr().err.replace("\n", "")
    again.close()


def test_other_files_are_no_part_of_the_log(tmp_path):
    log = tmp_path / "app.log"
    add(log, "a line that begins the log")
    tail = Tail(str(log))
    told(tail)
    log.rename(tmp_path / "app.log.1")
    for name in ("app.log.bak", "app.log.1.txt", "app.logs", "app.log.1.gz", "other.log.1"):
        add(tmp_path / name, "not of the log")
    add(log, "new")
    assert told(tail) == ["new"]
    tail.close()


def test_a_file_that_was_cut_and_has_no_copy_is_read_again(tmp_path):
    log = tmp_path / "app.log"
    add(tmp_path / "app.log.1", "older")
    add(log, "first", "second")
    tail = Tail(str(log))
    told(tail)
    log.write_text("")
    assert told(tail) == []
    add(log, "third")
    assert told(tail) == ["third"]
    tail.close()
