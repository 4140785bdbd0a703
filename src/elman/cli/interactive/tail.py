"""Tail: a file that grows, is rotated or cut short, line by line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from ...corpora.files import DAMAGED
from ..shared.console import err
from .rotated import is_packed, later, rotated, unpacked

_BLOCK = 1 << 16  # bytes read at once
_KNOWN = 64  # bytes of its begin, and before a place, by which a file or a copy of it is known again
_LONGEST = 1 << 20  # bytes of a line; the rest of a longer one is a line too


class Line(NamedTuple):
    """A whole line."""

    data: bytes
    """Without its end."""
    number: int
    """Number of the line in its file, from 1."""
    offset: int
    """Position of the byte after its end."""


class Tail:
    """The lines of a file as they come.

    A file that was renamed is read to its end before the new one of its name, and so are those that came between. One
    that was cut short is read again from its begin, after the rest of a copy, if there is one. A missing file is waited
    for.

    Args:
        place: where an earlier process stopped, as `place` gives it; None: nothing is known.
        from_end: without a place, begin at the end.
    """

    def __init__(self, name: str, place: dict[str, Any] | None = None, from_end: bool = False) -> None:
        self.name, self.heading = name, b""
        """heading: the first line of the file, for readers of CSV."""
        self._file: IO[bytes] | None = None
        self._named = self._path = Path(name)  # the second: of the open file, which may be an older one
        self._ended = False
        """The file was read to its end, and another has its name."""
        self._later: list[Path] = []
        """Files to read before the one that has the name now."""
        self._begin()
        if place is not None:
            self._resume(place)
        elif from_end and self._open(self._path):
            for line in self._read():
                self.passed(line)
            self._held = b""

    def place(self) -> dict[str, Any] | None:
        """Position that it has reached; None: the file never existed."""
        if self._file is None:
            return None
        status = os.fstat(self._file.fileno())
        return {
            "device": status.st_dev,
            "inode": status.st_ino,
            "offset": self._offset,
            "line": self._number,
            "head": self._head[: self._offset].hex(),
            "last": self._last.hex(),
        }

    def passed(self, line: Line) -> None:
        """The line was dealt with: a place is after it."""
        end = b"\n" if line.offset - self._offset > len(line.data) else b""
        self._offset, self._number = line.offset, line.number
        self._last = (self._last + line.data[-_KNOWN:] + end)[-_KNOWN:]

    def close(self) -> None:
        """Leave the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def poll(self) -> Iterator[Line]:
        """The whole lines that have come, of one file. Call `passed` with each."""
        if self._file is None or self._ended:
            if not any(self._open(path) for path in self._waiting()):
                return
            self._ended = False
        assert self._file is not None
        if self._is_whole(self._path):
            yield from self._read()
        elif self._was_cut():
            place = self.place()
            if place and self._resume(place):
                return
        else:
            yield from self._read()
            try:
                status = os.stat(self.name)
            except OSError:  # between two names; the old file may still grow
                return
            own = os.fstat(self._file.fileno())
            if os.path.samestat(status, own):
                return
            yield from self._read()  # what came before it was renamed
            self._later = self._later or later(self._named, own)
        yield from self._rest()
        self._ended = True

    def _waiting(self) -> Iterator[Path]:
        while self._later:
            yield self._later.pop(0)
        yield self._named

    def _begin(self) -> None:
        self._held, self._offset, self._number, self._head, self._last = b"", 0, 0, b"", b""

    def _is_whole(self, path: Path) -> bool:
        return path != self._named and is_packed(path)

    def _opened(self, path: Path, buffering: int) -> IO[bytes]:
        return unpacked(path) if self._is_whole(path) else open(path, "rb", buffering)

    def _open(self, path: Path) -> bool:
        try:
            file = self._opened(path, 0)
        except FileNotFoundError:
            return False
        self.close()
        self._file, self._path = file, path
        self._begin()
        return True

    def _resume(self, place: dict[str, Any]) -> bool:
        """Go on from a place: in its file, whatever name that has now, or in a copy."""
        path = self._named
        for candidate in [path, *sorted(path.parent.glob(path.name.translate(_PLAIN) + "*"))]:
            try:
                status = candidate.stat()
            except OSError:
                continue
            same = (status.st_dev, status.st_ino) == (place["device"], place["inode"])
            if same and self._goes_on(candidate, place):
                return True
        return bool(place["last"]) and any(self._goes_on(copy, place) for copy, _ in reversed(rotated(path)))

    def _goes_on(self, path: Path, place: dict[str, Any]) -> bool:
        """Open a file at a place, if its bytes there are those that were read."""
        head, last, offset = bytes.fromhex(place["head"]), bytes.fromhex(place["last"]), place["offset"]
        try:
            with self._opened(path, -1) as file:
                heading, _ = file.readline(_LONGEST), file.seek(0)
                known = file.read(len(head)) == head
                file.seek(offset - len(last))
                known = known and file.read(len(last)) == last and file.tell() == offset
                status = os.fstat(file.fileno())
        except (OSError, *DAMAGED):
            return False
        if not known or (not self._is_whole(path) and status.st_size < offset) or not self._open(path):
            return False
        assert self._file is not None
        self._file.seek(offset)
        self._offset, self._number, self._head, self._last = offset, place["line"], head, last
        self.heading = heading.rstrip(b"\r\n")
        self._later = [] if path == self._named else later(self._named, status)
        return True

    def _was_cut(self) -> bool:
        assert self._file is not None
        number, at = self._file.fileno(), self._file.tell()
        if os.fstat(number).st_size < at:
            return True
        self._file.seek(0)
        head = self._file.read(len(self._head))
        self._file.seek(at)
        return head != self._head

    def _read(self) -> Iterator[Line]:
        assert self._file is not None
        number, offset = self._number, self._offset
        while data := self._block():
            if len(self._head) < _KNOWN:
                self._head = (self._head + data)[:_KNOWN]
            *whole, self._held = (self._held + data).split(b"\n")
            for line in whole:
                number, offset = number + 1, offset + len(line) + 1
                if number == 1:
                    self.heading = line
                yield Line(line, number, offset)
            if len(self._held) > _LONGEST:
                number, offset, line, self._held = number + 1, offset + len(self._held), self._held, b""
                yield Line(line, number, offset)

    def _block(self) -> bytes:
        assert self._file is not None
        try:
            return self._file.read(_BLOCK)
        except DAMAGED:
            err.print(f"elman: {self._path}: damaged; its rest was not read")
            return b""

    def _rest(self) -> Iterator[Line]:
        """The rest, which has no line end and will not get one."""
        if self._held:
            yield Line(self._held, self._number + 1, self._offset + len(self._held))
            self._held = b""


_PLAIN = str.maketrans({"[": "[[]", "?": "[?]", "*": "[*]"})
"""A name as a pattern that means itself."""
