"""Files one by one, as gzip and zstd take them: from each, one beside it, or to standard output."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import typer

from ...errors import ElmanError, InputError
from ...files import Named, staged
from ...sources import mask_of, refuse_same, regular, remove_unchanged
from .inputs import files_read, mask_for
from .samples import reading
from .streams import complain, is_console


@dataclass
class Filewise:
    """The handling of each of a command's files.

    Attributes:
        names: of the files; - is standard input.
        output: the file to write, if there is one to read only.
        others: files that are read too, such as a model.
    """

    names: list[str]
    output: Path | None = None
    stdout: bool = False
    force: bool = False
    remove: bool = False
    others: tuple[str | Path, ...] = ()

    def __post_init__(self) -> None:
        if self.output is not None and len(self.names) > 1:
            raise InputError(f"-o names one file, and there are {len(self.names)} to read")

    def each(self, work: Callable[[str], None]) -> None:
        """Do it for every file. One that fails does not keep the others from being done; the status is 1 then."""
        failed = False
        for name in self.names:
            try:
                work(name)
            except (ElmanError, OSError, MemoryError) as error:
                if len(self.names) == 1 or is_console(error):
                    raise
                complain(error)
                failed = True
        if failed:
            raise typer.Exit(1)

    def _read(self) -> list[str | Path | int]:
        """All that is read, of which nothing is written over: one of the other names may be read later."""
        return [*files_read(*self.others), *(0 if name == "-" else name for name in self.names)]

    def target(self, name: str, beside: str) -> str:
        if self.output is not None:
            return str(self.output)
        return "-" if self.stdout or name == "-" else beside

    @contextmanager
    def pair(self, name: str, beside: str, *, for_terminals: bool) -> Iterator[tuple[BinaryIO, BinaryIO]]:
        """Open the input and the output, which is written whole or not at all, with the input's mode and times.

        Args:
            beside: the file to write if no option names one.
            for_terminals: what is written may be shown on one without `force`.
        """
        target = self.target(name, beside)
        with reading(name) as source:
            like = _like(name, source)
            with self._writing(target, source, like, for_terminals) as (file, is_kept):
                yield source, file
        if self.remove and is_kept and like is not None:
            remove_unchanged(name, like)

    @contextmanager
    def store(self, name: str, beside: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Like `pair`, for a store, which is always a file: its name, and options of `write_store`."""
        target = self.target(name, beside)
        if target in ("-", os.devnull):
            raise InputError("a store is a file, of which parts are read; give its name with -o, and leave out -c")
        like = regular(0 if name == "-" else name)
        refuse_same(target, *self._read())
        try:
            yield target, {"replace": self.force, "like": None if name == "-" else like, "mask": mask_for(name)}
        except FileExistsError:
            raise InputError(f"{target} exists; -f writes over it") from None
        if self.remove and like is not None and name != "-":
            remove_unchanged(name, like)

    @contextmanager
    def _writing(
        self, target: str, source: BinaryIO, like: os.stat_result | None, for_terminals: bool
    ) -> Iterator[tuple[BinaryIO, bool]]:
        """The file to write, and whether its content is kept there: a device or a pipe keeps nothing."""
        read = [*self._read(), *_number(source)]
        if target == "-":
            if sys.stdout.isatty() and not self.force and not for_terminals:
                raise InputError("refusing to write an archive to a terminal; name a file with -o, or use -f")
            for number in _number(sys.stdout.buffer):
                refuse_same(number, *read, shown="standard output")
            yield sys.stdout.buffer, False
            sys.stdout.buffer.flush()
        elif target == os.devnull or _is_stream(target):
            with Named(target, "w", target) as file:
                yield file, False  # type: ignore[misc]
        else:
            refuse_same(target, *read)
            try:
                with staged(target, replace=self.force, like=like, mask=mask_of(*_number(source))) as file:
                    yield file, True
            except FileExistsError:
                raise InputError(f"{target} exists; -f writes over it") from None


def _is_stream(target: str) -> bool:
    """A device of characters or a pipe, which can be written to and not replaced."""
    try:
        mode = os.stat(target).st_mode
    except OSError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)


def _number(file: BinaryIO) -> list[int]:
    """The system's number of an open file, if it has one."""
    try:
        return [file.fileno()]
    except (OSError, AttributeError):
        return []


def _like(name: str, source: BinaryIO) -> os.stat_result | None:
    """Whose mode and times the new file gets: a file that has a name, no device and no pipe."""
    return next(map(regular, _number(source)), None) if name != "-" else None
