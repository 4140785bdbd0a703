"""The options of `elman score --follow`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ...errors import InputError
from ..shared.piecewise import Listed

if TYPE_CHECKING:
    from ...model import Model


class Following(NamedTuple):
    """Options of the command line for growing files."""

    follow: bool
    place: str | None
    from_end: bool
    limit: int | None
    hook: str | None
    metrics: str | None

    def check(self, what: Listed, lines: bool, more: bool, files: Sequence[str]) -> None:
        """Raises InputError for options that exclude each other. more: other listings or outputs are asked for."""
        if not self.follow:
            if self != Following(False, None, False, None, None, None):
                raise InputError(
                    "--place, --from-end, --limit, --exec and --metrics are of --follow; give it, or leave them out"
                )
            return
        if what.above is None or lines or what.top is not None or what.words or what.chars or more or "-" in files:
            raise InputError("--follow writes odd lines of files: give --above BITS and files, without other listings")
        if self.limit is not None and self.limit < 1:
            raise InputError(f"--limit must be at least 1, got {self.limit}")

    def run(
        self,
        model: Model,
        files: Sequence[str],
        above: float,
        form: str,
        how: tuple[str | None, str, str | None],
        records: bool | None,
    ) -> None:
        """Follow the files until a signal ends the command."""
        if not (model.reading.records if records is None else records):
            raise InputError("--follow takes each line by itself; give --records, or a model of records")
        from .follow import Alarms, follow

        alarms = Alarms(form, self.limit, self.hook)
        follow(model, files, above, alarms, how, self.place, self.from_end, self.metrics)
