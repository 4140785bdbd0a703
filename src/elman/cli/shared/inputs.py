"""The files that a command reads: none of them is written over by what the command makes, which is as private."""

from __future__ import annotations

import os
from pathlib import Path

from ...sources import mask_of, refuse_same, regular

Place = str | Path | None
"""A file, a folder, or - for standard input; None: an option that was left out."""


def keep_inputs(output: Place, *places: Place) -> None:
    """Raises InputError if `output`, or standard output where it is None, is one of the files that are read."""
    written = 1 if output is None else output
    if regular(written):
        refuse_same(written, *files_read(*places), shown="standard output" if output is None else "")


def mask_for(*places: Place) -> int:
    """Permissions for a new file that is made from these; see `mask_of`."""
    return mask_of(*files_read(*places))


def files_read(*places: Place) -> list[str | Path | int]:
    """Each file that is read at these places: of a run's folder the run's files, of any other all files in it, and the
    folder itself."""
    found: list[str | Path | int] = []
    for place in places:
        if place is not None:
            found += [0] if str(place) == "-" else [place]
            if os.path.isdir(place):
                found += _files_in(Path(place))
    return found


def _files_in(folder: Path) -> list[Path]:
    from ...corpora import folder_files
    from ...errors import CorpusError
    from ...runs import RunFolder

    run = RunFolder(folder)
    if run.holds_run():
        return [path for path in run.written if path.exists()]
    try:
        return folder_files(folder)
    except CorpusError:  # what reads it says so
        return []
