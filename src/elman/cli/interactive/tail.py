"""Tail: a file that grows, is rotated or cut short, line by line; and the places up to which files were read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from ...errors import InputError
from ...files import write_atomically

_BLOCK = 1 << 16  # bytes read at once
_HEAD = 64  # bytes by which a file is known again
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

    A file that was renamed is read to its end before the new one of its name; one that was cut short is read again from
    its begin. A missing file is waited for.

    Args:
        place: where an earlier process stopped, as `place` gives it; None: nothing is known.
        from_end: without a place, begin at the end.
    """

    def __init__(self, name: str, place: dict[str, Any] | None = None, from_end: bool = False) -> None:
        self.name, self.heading = name, b""
        """heading: the first line of the file, for readers of CSV."""
        self._file: BinaryIO | None = None
        self._ended = False
        """The file was read to its end, and another has its name."""
        self._held, self._offset, self._number, self._head = b"", 0, 0, b""
        if place is not None:
            self._resume(place)
        elif from_end and self._open(name):
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
        }

    def passed(self, line: Line) -> None:
        """The line was dealt with: a place is after it."""
        self._offset, self._number = line.offset, line.number

    def close(self) -> None:
        """Leave the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def poll(self) -> Iterator[Line]:
        """The whole lines that have come, of one file. Call `passed` with each."""
        if self._file is None or self._ended:
            if not self._open(self.name):
                return
            self._ended = False
        assert self._file is not None
        if not self._was_cut():
            yield from self._read()
            try:
                status = os.stat(self.name)
            except OSError:  # between two names; the old file may still grow
                return
            if os.path.samestat(status, os.fstat(self._file.fileno())):
                return
            yield from self._read()  # what came before it was renamed
        yield from self._rest()
        self._ended = True

    def _open(self, name: str | Path) -> bool:
        try:
            file = open(name, "rb", buffering=0)  # noqa: SIM115
        except FileNotFoundError:
            return False
        self.close()
        self._file = file
        self._held, self._offset, self._number, self._head = b"", 0, 0, b""
        return True

    def _resume(self, place: dict[str, Any]) -> None:
        path = Path(self.name)
        for candidate in [path, *sorted(path.parent.glob(path.name.translate(_PLAIN) + "*"))]:
            try:
                status = candidate.stat()
            except OSError:
                continue
            if (status.st_dev, status.st_ino) != (place["device"], place["inode"]) or status.st_size < place["offset"]:
                continue
            if self._open(candidate):
                assert self._file is not None
                head = bytes.fromhex(place["head"])
                if self._file.read(len(head)) == head:
                    self._file.seek(place["offset"])
                    self._offset, self._number = place["offset"], place["line"]
                    self._head = head
                    self.heading = _first_line(candidate)
                    return
                self.close()

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
        while data := self._file.read(_BLOCK):
            if len(self._head) < _HEAD:
                self._head = (self._head + data)[:_HEAD]
            *whole, self._held = (self._held + data).split(b"\n")
            for line in whole:
                number, offset = number + 1, offset + len(line) + 1
                if number == 1:
                    self.heading = line
                yield Line(line, number, offset)
            if len(self._held) > _LONGEST:
                number, offset, line, self._held = number + 1, offset + len(self._held), self._held, b""
                yield Line(line, number, offset)

    def _rest(self) -> Iterator[Line]:
        """The rest, which has no line end and will not get one."""
        if self._held:
            yield Line(self._held, self._number + 1, self._offset + len(self._held))
            self._held = b""


_PLAIN = str.maketrans({"[": "[[]", "?": "[?]", "*": "[*]"})
"""A name as a pattern that means itself."""


def _first_line(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.readline(_LONGEST).rstrip(b"\r\n")


class Places:
    """The file that keeps how far files were read, written beside and renamed."""

    def __init__(self, path: str | Path) -> None:
        """Raises InputError if there is a file that is no such one."""
        self._path, self._known = Path(path), dict[str, Any]()
        try:
            data = json.loads(self._path.read_bytes())
            self._known = {name: _checked(place) for name, place in data["places"].items()}
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise InputError(f"{path}: not a file of places that `elman score --follow` wrote; remove it") from None

    def get(self, name: str) -> dict[str, Any] | None:
        """Position at which reading of this file stopped."""
        return self._known.get(os.path.abspath(name))

    def keep(self, tail: Tail) -> None:
        """Write the place of `tail`, if it has moved."""
        name, place = os.path.abspath(tail.name), tail.place()
        if place is not None and self._known.get(name) != place:
            self._known[name] = place
            write_atomically(self._path, json.dumps({"places": self._known}, indent=1).encode() + b"\n", mask=0o600)


def _checked(place: dict[str, Any]) -> dict[str, Any]:
    numbers = [place[key] for key in ("device", "inode", "offset", "line")]
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise ValueError("a place has whole numbers")
    bytes.fromhex(place["head"])
    return place
