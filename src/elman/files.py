"""Files that a user keeps: written beside, synced and named at the end, or grown by whole lines.

The rules are gzip's and zstd's; `sources` has those for what is read. A file that takes the place of a private one, or
is made from one, is nobody else's to read at any moment: it gets its mode before its name. Without `replace` nothing is
written over, and no link followed. An OSError has the name of the file that failed.
"""

from __future__ import annotations

import errno
import io
import itertools
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

try:
    import fcntl
except ImportError:  # Windows, which has no flock: what a killed process left stays there
    fcntl = None  # type: ignore[assignment]

_SLOTS = 4
"""Names beside a file, tried in turn; so what a killed process left is found without reading the folder."""
_unfinished: set[Path] = set()


class Named(io.FileIO):
    """A file whose errors have its name, errors of reading and writing too."""

    def __init__(self, file: str | Path | int, mode: str, name: str, closefd: bool = True) -> None:
        super().__init__(file, mode, closefd)
        self._shown = name

    def write(self, data: Any) -> Any:
        with named(self._shown):
            return super().write(data)

    def readinto(self, buffer: Any) -> Any:
        with named(self._shown):
            return super().readinto(buffer)

    def readall(self) -> Any:
        with named(self._shown):
            return super().readall()


@contextmanager
def named(path: str | Path) -> Iterator[None]:
    """Any OSError is this file's."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None


@contextmanager
def staged(
    path: str | Path, *, replace: bool = True, like: os.stat_result | None = None, mask: int = 0o666
) -> Iterator[BinaryIO]:
    """A file beside `path` to write to, which takes that name at the end: what was there stays whole until then, and
    stays if the block fails.

    Args:
        replace: write over a file that is there, keeping its mode and owner, and follow a link, so it stays one.
            False: refuse what is there, also a link that leads nowhere and what appears while the block runs.
        like: whose mode, times and owner the file gets; an owner only as far as the system lets us, and set-id bits
            only with the owner.
        mask: of a new file's mode, beside the umask; see `mask_of`.
    Raises:
        FileExistsError: something is there, without `replace`.
        OSError: as the system says, with `path` as its file name; also where `path` is a folder, a device or a FIFO,
            which a rename would replace. What the block raises itself is left unchanged.
    """
    target = Path(os.path.realpath(path) if replace else path)
    with named(path):
        old = _status(target, replace)
        source = like or old
        handle, beside = _create(target, 0o666 & mask if source is None else 0o600)
    try:
        with io.BufferedRandom(Named(handle, "r+", str(path))) as file:
            yield file
            with named(path):
                file.flush()
                if source is not None:
                    _become(handle, source, times=like is not None)
                os.fsync(handle)
                if fcntl is None:
                    file.close()  # Windows renames no open file; elsewhere it is locked until it has its name
                os.replace(beside, target) if replace else _name(beside, target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    finally:
        _unfinished.discard(beside)
    sync_folder(target.parent)


def _status(target: Path, replace: bool) -> os.stat_result | None:
    """Status of the file that a rename would replace; None if there is none."""
    try:
        old = target.stat() if replace else target.lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(old.st_mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder; expected the name of a file to write")
    if not replace:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    if not stat.S_ISREG(old.st_mode):
        raise OSError(errno.EINVAL, "is a device or a pipe; expected the name of a file to write")
    return old


def _create(target: Path, mode: int) -> tuple[int, Path]:
    """A new file beside `target`, locked until it is closed, which tells it from one that a killed process left."""
    clear_unfinished(target)
    for number in itertools.count():
        beside = _beside(target, str(number) if number < _SLOTS else f"-{os.urandom(6).hex()}")
        try:
            handle = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
        except FileExistsError:
            continue
        _unfinished.add(beside)
        if fcntl is not None:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            break
        os.close(handle)  # it was taken for one that was left, between its making and its lock
    return handle, beside


def _beside(target: Path, end: str) -> Path:
    stem = os.fsencode(target.name)[:200].decode(errors="ignore")  # a name has at most 255 bytes
    return target.with_name(f".{stem}.elman{end}")


def clear_unfinished(path: str | Path) -> None:
    """Remove what killed processes left beside `path`, as every write to it does."""
    for number in range(_SLOTS):
        _remove_if_left(_beside(Path(path), str(number)))


def _remove_if_left(slot: Path) -> None:
    if fcntl is None or not os.path.lexists(slot):
        return
    with suppress(OSError):  # someone else's, or locked by one who writes it
        handle = os.open(slot, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            status = os.fstat(handle)
            if stat.S_ISREG(status.st_mode) and os.path.samestat(status, slot.lstat()):
                slot.unlink()
        finally:
            os.close(handle)


def _become(handle: int, like: os.stat_result, times: bool) -> None:
    """Take over owner, mode and times. A group that cannot be kept gets no more than everybody."""
    mode = stat.S_IMODE(like.st_mode) & 0o6777
    if hasattr(os, "fchown"):
        if os.geteuid() == 0:
            with suppress(OSError):
                os.fchown(handle, like.st_uid, -1)
        with suppress(OSError):
            os.fchown(handle, -1, like.st_gid)
        new = os.fstat(handle)
        if new.st_uid != like.st_uid:
            mode &= ~(stat.S_ISUID | stat.S_ISGID)
        if new.st_gid != like.st_gid:
            mode &= ~(stat.S_ISGID | 0o070) | (mode & 0o007) << 3
        os.fchmod(handle, mode)  # after the owner, whose change takes the set-id bits away
    if times and os.utime in os.supports_fd:
        os.utime(handle, ns=(like.st_atime_ns, like.st_mtime_ns))


def _name(beside: Path, target: Path) -> None:
    """Rename, unless something has that name."""
    try:
        os.link(beside, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        os.replace(beside, target)
    else:
        beside.unlink()


def write_atomically(path: str | Path, data: bytes, *, mask: int = 0o666) -> None:
    """Write `data` as `staged` does, whose errors it raises."""
    with staged(path, mask=mask) as file:
        file.write(data)


def remove_unfinished() -> None:
    """Remove what `staged` is writing. For one who ends the process at once."""
    for beside in list(_unfinished):
        with suppress(OSError):
            beside.unlink()


def append_line(path: str | Path, line: str) -> None:
    """Add `line` and a line end to a file: whole, or not at all."""
    append_bytes(path, line.encode("utf-8", "backslashreplace") + b"\n")


def append_bytes(path: str | Path, data: bytes) -> None:
    """Add `data` to a file: whole, or not at all."""
    with open(path, "ab", buffering=0) as file:
        before = file.seek(0, os.SEEK_END)
        try:
            if file.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            with suppress(OSError):
                file.truncate(before)
            raise OSError(error.errno, error.strerror, str(path)) from None


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` outlast a power cut, where the system can."""
    if os.name == "posix":
        with suppress(OSError):  # one that may be written but not read, or a file system without
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
