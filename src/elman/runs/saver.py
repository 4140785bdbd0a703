"""Saver: a run's folder, in which a good model is only ever replaced by another.

It writes the model, the best model on held-out text, a checkpoint and the log; `RunFolder` has their names.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, Protocol

import numpy as np

from .. import kernels
from ..errors import InputError, TrainingDiverged
from ..files import append_line, clear_unfinished, write_atomically
from ..model import LanguageModel, NgramModel, QuantisedModel, load, read_header, save
from .checkpoint import Checkpoint, write_checkpoint
from .folder import RunFolder
from .log import Epoch, as_json, best
from .run import Run


class Mixed(Protocol):
    """A model with n-grams, and what was measured of it."""

    @property
    def model(self) -> NgramModel: ...
    def summary(self) -> dict[str, Any]: ...


Mixing = Callable[[LanguageModel | QuantisedModel], Mixed]
"""Adds n-grams to a model."""


class Saver:
    """Writes a run's folder.

    Args:
        averaged: while it is entered, the model's arrays hold what is to be saved.
        sync: brings what is elsewhere, before a save after an error. None: other processes have a part of it, so after
            an error the last checkpoint stays.
        snapshot: where training stands.
        resumed: the folder is this run's already.
        seconds: between saves, and so what a run that is killed loses at most.
        mixing: adds n-grams to the models when training ends.
    """

    def __init__(
        self,
        run: Run,
        averaged: Callable[[], AbstractContextManager[None]],
        sync: Callable[[], None] | None,
        snapshot: Callable[[], Checkpoint | None],
        seconds: float,
        resumed: bool,
        mixing: Mixing | None = None,
    ) -> None:
        assert run.path is not None
        self.run, self._averaged, self._snapshot, self._seconds = run, averaged, snapshot, seconds
        self._sync, self._mixing = sync, mixing
        self._folder = folder = RunFolder(run.path)
        self._good: list[np.ndarray] | None = None
        self._best: tuple[dict[str, Any], dict[str, np.ndarray]] | None = None
        self._last = time.perf_counter()
        replaces = folder.model.exists() and not resumed
        self._log = folder.new_log if replaces else folder.log
        self._checkpoint = folder.new_checkpoint if replaces else folder.checkpoint
        for path in (folder.model, folder.best, folder.log, folder.checkpoint, self._checkpoint):
            clear_unfinished(path)
        if resumed:  # whatever a killed process wrote after its last checkpoint is written again
            lines = "".join(_line(epoch) + "\n" for epoch in run.log)
            write_atomically(folder.log, lines.encode("utf-8", "backslashreplace"))
            folder.new_log.unlink(missing_ok=True)
            folder.new_checkpoint.unlink(missing_ok=True)
        else:
            self._log.unlink(missing_ok=True)
        self._write_checkpoint()

    def after_epoch(self) -> None:
        append_line(self._log, _line(self.run.log[-1]))
        with self._averaged():
            self._good = [p.copy() for p in self.run.model.parameters()]
            if best(self.run.log) is self.run.log[-1]:
                self._best = self.run.summary(), self.run.model.state_dict()

    def is_due(self) -> bool:
        """Whether the last save is long ago."""
        return time.perf_counter() - self._last >= self._seconds

    def save_after_error(self) -> None:
        """Save what there is, unless other processes have a part of it."""
        if self._sync:
            self._sync()
            self.save_if_sound()

    def save_if_sound(self) -> None:
        if is_sound(self.run.model):
            self.save()

    def save(self) -> None:
        self._save_all(self._save_models)

    def _save_all(self, save_models: Callable[[], None]) -> None:
        with self._averaged():
            save_models()
        self._write_checkpoint()
        self._replace()
        self._last = time.perf_counter()

    def end(self) -> None:
        """Save for the last time. Raises TrainingDiverged where the model's numbers are not finite."""
        if not is_sound(self.run.model):  # stopped within an epoch, by a step that ruined it
            self.go_back()
            raise TrainingDiverged("training diverged in its last step: the model's weights or logits are not finite")
        self._save_all(self._save_mixed if self._mixing else self._save_models)

    def _save_mixed(self) -> None:
        """The models with n-grams. The checkpoint that says that nothing is left comes after them."""
        assert self._mixing
        self._save_models()
        mixed = self._mixing(self.run.model)
        self.run.mixed, self.run.ngrams = mixed.model, mixed.summary()
        save(mixed.model, self._folder.model, self.run.summary() | {"ngrams": mixed.summary()})
        if self._folder.best.exists():
            best = load(self._folder.best)
            mixed = self._mixing(best.alone if isinstance(best, NgramModel) else best)
            self.run.ngrams = mixed.summary()
            save(mixed.model, self._folder.best, read_header(self._folder.best)["run"] | {"ngrams": mixed.summary()})

    def go_back(self) -> None:
        """After a divergence: save the last whole epoch; without one, an earlier run's model stays if there is one."""
        if self._good is not None:
            for parameter, good in zip(self.run.model.parameters(), self._good, strict=True):
                parameter[...] = good
        if self._good is not None or not self._folder.model.exists():
            with suppress(InputError):  # weights that no file can hold
                self._save_models()
                self._replace()
        elif self._log != self._folder.log:
            self._log.unlink(missing_ok=True)
            self._checkpoint.unlink(missing_ok=True)

    def _save_models(self) -> None:
        save(self.run.model, self._folder.model, self.run.summary())
        if self._best:
            save(self.run.model, self._folder.best, *self._best)
            self._best = None
        elif best(self.run.log) is None:
            self._folder.best.unlink(missing_ok=True)  # an earlier run's

    def _write_checkpoint(self) -> None:
        snapshot = self._snapshot()
        if snapshot is not None:
            write_checkpoint(self._checkpoint, snapshot, self.run.model.named_parameters())

    def _replace(self) -> None:
        """The new files take the places of an earlier run's."""
        folder = self._folder
        if self._log == folder.log:
            return
        if self._log.exists():
            self._log.replace(folder.log)
        else:
            folder.log.unlink(missing_ok=True)
        self._checkpoint.replace(folder.checkpoint)
        self._log, self._checkpoint = folder.log, folder.checkpoint


def _line(epoch: Epoch) -> str:
    return json.dumps(as_json(epoch), ensure_ascii=False, allow_nan=False)


@contextmanager
def saved_whatever_happens(saver: Saver | None) -> Iterator[None]:
    """Save at the end, also where a callback fails because its reader has gone, or memory or the disk ends."""
    try:
        yield
    except TrainingDiverged:
        if saver:
            saver.go_back()
        raise
    except (Exception, SystemExit):
        with suppress(Exception):
            if saver:
                saver.save_after_error()
        raise
    if saver:
        saver.end()


def is_sound(model: LanguageModel) -> bool:
    """Whether the model can be used: finite weights, and finite logits after some tokens."""
    norm = kernels.grad_norm(model.parameters())
    if not math.isfinite(norm):
        return False
    factors = model.layer.num_layers + (1 if model.embedding is None else 2)
    if 2 * max(norm, 1.0) < 1e30 ** (1 / factors):
        return True  # embedding, layers and output multiply by less than this: logits after a token stay below 1e38
    return bool(np.isfinite(model(np.arange(min(model.vocab_size, 64))[None])[0]).all())
