"""files: what a user keeps is written whole or not at all, and never replaces what is no plain file."""

from __future__ import annotations

import os
import stat

import pytest

from elman.files import append_line, write_atomically


@pytest.fixture
def umask():
    before = os.umask(0o027)
    yield
    os.umask(before)


def test_umask_decides_a_new_files_mode_and_an_old_one_keeps_its_own(tmp_path, umask):
    path = tmp_path / "file"
    write_atomically(path, b"one")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o604)
    write_atomically(path, b"two")
    assert (stat.S_IMODE(path.stat().st_mode), path.read_bytes()) == (0o604, b"two")
    assert os.listdir(tmp_path) == ["file"]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "target", tmp_path / "link"
    link.symlink_to(target)
    for data in (b"new", b"again"):  # the first time it leads to nothing
        write_atomically(link, data)
        assert link.is_symlink()
        assert target.read_bytes() == data


def test_a_fifo_a_device_and_a_folder_are_refused(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "null").symlink_to("/dev/null")
    for name in ("fifo", "null"):
        with pytest.raises(OSError, match="is a device or a pipe; expected the name of a file to write") as error:
            write_atomically(tmp_path / name, b"x")
        assert error.value.filename == str(tmp_path / name)
    with pytest.raises(IsADirectoryError, match="is a folder"):
        write_atomically(tmp_path, b"x")
    assert stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left") as error:
        write_atomically(path, b"new")
    assert error.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_line_is_added_whole(tmp_path):
    path = tmp_path / "log"
    append_line(path, "one")
    append_line(path, "tw\udce9o")
    assert path.read_bytes() == b"one\ntw\\udce9o\n"
    with pytest.raises(OSError, match="No space left") as error:
        append_line("/dev/full", "three")
    assert error.value.filename == "/dev/full"
