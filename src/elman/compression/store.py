"""Stores (.elr): lines, each coded alone and read by its number, and a text that teaches the coder what they share.

    header     32 bytes   magic, version, contract, level, end; the model's digest, 8 bytes; sizes, CRC-32 of the past
    past                  the past, coded as it is learned
    codes                 of the records, one after another
    index                 of each record the size of its code: a byte, rarely more
    directory             of each group of 64 records: bytes of codes, bytes of index, CRC-32 of both; 10 bytes
    footer     36 bytes   records, groups, bytes of index, the longest record; CRC-32 of directory and footer, magic

Numbers are little-endian. docs/reference/formats.md has every field.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from dataclasses import replace as changed
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from ..errors import CompressedError, InputError
from ..files import staged
from ..locks import held
from .codec import as_bytes, whole
from .handle import Handle, mark_of
from .layout import CHUNK, END, GROUP, HEADER, MAX_PAST, Directory, Header, write_records
from .past import choose_past, learn_and_code, learn_from_code, past_of
from .predictor import Predictor, contract_of, digest_of, matching, predictor_of

if TYPE_CHECKING:
    from ..model import Model


def write_store(
    lines: Iterable[bytes],
    path: str | Path,
    model: Predictor | Model | None = None,
    *,
    past: bytes | None = None,
    past_size: int = 1 << 18,
    level: int = 6,
    last_line_end: bool = True,
    replace: bool = True,
    like: os.stat_result | None = None,
    mask: int = 0o666,
) -> None:
    """Write a store of `lines`, which have no line end in them.

    Args:
        path: of the file, which is replaced once the new one is whole.
        model: a model, what `load_predictor` read, or None.
        past: lines that teach the coder, each with its line end, such as another store's, after those
            of the model; if None and the model has none, a choice of the records.
        past_size: bytes of that choice, at most, and at most an eighth of the records.
        level: 1..9.
        last_line_end: whether the text of these lines ends with a line end. `elman store get` gives it back as it was.
        replace, like, mask: as for `files.staged`.
    Raises:
        InputError: a past or a record that is too long.
    """
    whole(level, "level is {}; expected 1..9", 1, 9)
    predictor = predictor_of(model)
    given = _records(lines)
    if past is None and past_of(predictor):
        past = b""
    if past is None:
        given = list(given)
        past = choose_past(given, min(past_size, sum(map(len, given)) // 8))
    past = as_bytes(past, "the past")
    if len(past) > MAX_PAST:
        raise InputError(f"the past is {len(past)} bytes; expected at most {MAX_PAST}")
    messages, code = learn_and_code(past, level, predictor)
    digest, contract = digest_of(predictor)[:8], contract_of(predictor)
    header = Header(level, END, digest, len(past), len(code), zlib.crc32(past), True, contract)
    with ExitStack() as until_it_is_whole, staged(path, replace=replace, like=like, mask=mask) as file:
        file.write(header.pack() + code)
        if write_records(file, given, messages) and not last_line_end:
            file.seek(0)
            file.write(changed(header, last_line_end=False).pack())
        if os.path.exists(path):  # nobody may be adding to what is replaced
            until_it_is_whole.enter_context(held(path))


def _records(lines: Iterable[bytes]) -> Iterator[bytes]:
    return (as_bytes(line, f"line {number}") for number, line in enumerate(lines, 1))


@dataclass(frozen=True)
class _View:
    """A store as it was when it was opened: never changed, so who reads it need not wait for who appends."""

    handle: Handle
    header: Header
    directory: Directory
    messages: Any

    def get(self, numbers: Iterable[int]) -> list[bytes]:
        codes = self.directory.codes(self.handle, numbers)
        records, too_long = self.messages.decode(codes, self.directory.longest)
        if too_long >= 0:
            raise CompressedError("the store is damaged: a record is longer than the longest")
        return records


class Store(Sequence[bytes]):
    """A store on disk as a sequence of its records: len, indices from either end, slices, iteration.

    It shows the file as it was when it was opened, or last appended to through this object.

    Any number of threads may read one Store and append to it, and so may forked processes; an iteration that has begun
    does not see what is appended meanwhile. A pickled Store is its path and the model that it was given: it is opened
    anew where it is loaded.

    Args:
        path: of the file.
        model: the one that it was made with, or None.
    Attributes:
        path: absolute.
        last_line_end: whether a line end follows the last record.
    Raises:
        CompressedError: no whole store, or one of another model; later, from a record that is damaged.
    """

    def __init__(self, path: str | Path, model: Predictor | Model | None = None) -> None:
        self.path, self._given = Path(os.path.abspath(path)), predictor_of(model)
        self._model = self._given
        self._open: _View | None = self._read(None)

    def _read(self, before: _View | None) -> _View:
        """The file of this name now. What its past taught is taken from `before` if it is the same."""
        handle = Handle(self.path)
        header = Header.read(handle)
        directory = Directory(handle, header)
        if before is not None and before.header.teaches == header.teaches:
            return _View(handle, header, directory, before.messages)
        self._model = model = matching("the store", header.digest, self._given)
        taught = learn_from_code(handle.read(header.past_code, HEADER.size), header, model)
        return _View(handle, header, directory, taught)

    @property
    def _view(self) -> _View:
        view = self._open
        if view is None:
            raise InputError(f"{self.path}: the store is closed")
        return view

    @property
    def last_line_end(self) -> bool:
        return self._view.header.last_line_end

    def __len__(self) -> int:
        return self._view.directory.count

    @overload
    def __getitem__(self, number: int) -> bytes: ...
    @overload
    def __getitem__(self, number: slice) -> list[bytes]: ...
    def __getitem__(self, number: int | slice) -> bytes | list[bytes]:
        view = self._view
        count = view.directory.count
        if isinstance(number, slice):
            return view.get(range(*number.indices(count)))
        place = whole(number, "a record's number is {}; expected a whole number")
        if not -count <= place < count:
            raise IndexError(f"record {place} of a store of {count}")
        return view.get([place % count])[0]

    def __iter__(self) -> Iterator[bytes]:
        view = self._view
        for start in range(0, view.directory.count, CHUNK):
            yield from view.get(range(start, min(start + CHUNK, view.directory.count)))

    def get(self, numbers: Iterable[int]) -> list[bytes]:
        """The records of these numbers, in this order; faster in one call than one at a time."""
        return self._view.get(numbers)

    def append(self, lines: Iterable[bytes], *, last_line_end: bool = True) -> None:
        """Add records, to the file as it is now, whoever else has added to it or written it anew since it was opened.

        All lines are in memory before the store is held, so a slow source keeps nobody waiting. The file is written
        anew beside itself and takes its own place once it is whole and synced: a fault or a kill leaves it as it was.

        Args:
            lines: the records.
            last_line_end: whether a line end follows the last of them.
        Raises:
            InputError: what is no record; CompressedError: the file is damaged; OSError: it cannot be written.
        """
        new, view = list(_records(lines)), self._view
        with held(self.path):
            if view.handle.mark != mark_of(os.stat(self.path)):
                view = self._read(view)
            if new:
                self._add(view, new, last_line_end)
                view = self._read(view)
            self._open = view

    def _add(self, view: _View, new: list[bytes], last_line_end: bool) -> None:
        handle, directory = view.handle, view.directory
        kept = len(directory.entries) - bool(directory.count % GROUP)  # the groups that stay as they are
        rest = view.get(range(kept * GROUP, directory.count))
        index_at, end = int(directory.index_at[0]), int(directory.codes_at[kept])
        index = handle.read(int(directory.index_at[kept]) - index_at, index_at)
        before = [(int(e["codes"]), int(e["index"]), int(e["crc"])) for e in directory.entries[:kept]]
        with staged(self.path) as file:
            file.write(changed(view.header, last_line_end=last_line_end).pack())
            for at in range(HEADER.size, end, 1 << 20):
                file.write(handle.read(min(1 << 20, end - at), at))
            write_records(file, chain(rest, new), view.messages, before, index, directory.longest)

    def close(self) -> None:
        """Read no more. The file is closed once no thread reads from it."""
        self._open = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Store, (self.path, self._given)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
