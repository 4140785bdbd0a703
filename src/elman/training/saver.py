"""Saver: a run's folder, in which a good model is only ever replaced by another."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict

import numpy as np

from .. import kernels
from ..errors import InputError, TrainingDiverged
from ..files import append_line
from ..kernels import Stepper
from ..model import LanguageModel, save
from .run import Run, finite

_SAVE_SECONDS = 30.0  # a run that is killed loses at most this much


class Saver:
    """Writes a run's folder. What an earlier run left there stays until the first model of this one is whole."""

    def __init__(self, run: Run) -> None:
        assert run.path is not None
        self.run, self.model, self._last = run, run.path / "model.safetensors", time.perf_counter()
        self._log = run.path / "log.jsonl"
        self._new_log = run.path / "log.new.jsonl" if self.model.exists() else self._log
        self._new_log.unlink(missing_ok=True)
        self._good: list[np.ndarray] | None = None

    def after_epoch(self) -> None:
        epoch = asdict(self.run.log[-1])
        epoch |= {name: finite(epoch[name]) for name in ("train_perplexity", "val_perplexity")}
        append_line(self._new_log, json.dumps(epoch, ensure_ascii=False, allow_nan=False))
        self._good = [p.copy() for p in self.run.model.parameters()]
        self.sometimes()

    def sometimes(self, stepper: Stepper | None = None) -> None:
        """Save if the last time is long ago: a run that is killed loses at most `_SAVE_SECONDS`.

        Args:
            stepper: what may have the weights elsewhere; None: they are in the model.
        """
        if time.perf_counter() - self._last <= _SAVE_SECONDS:
            return
        if stepper:
            stepper.sync()
        if is_sound(self.run.model):
            self.save()

    def save(self) -> None:
        save(self.run.model, self.model, self.run.summary())
        if self._new_log != self._log and self._new_log.exists():
            self._new_log.replace(self._log)
            self._new_log = self._log
        self._last = time.perf_counter()

    def end(self) -> None:
        if not is_sound(self.run.model):  # stopped within an epoch, by a step that ruined it
            self.go_back()
            raise TrainingDiverged("training diverged in its last step: the model's weights or logits are not finite")
        self.save()

    def go_back(self) -> None:
        """After a divergence: save the last whole epoch; without one, an earlier run's model stays if there is one."""
        if self._good is not None:
            for parameter, good in zip(self.run.model.parameters(), self._good, strict=True):
                parameter[...] = good
        if self._good is not None or not self.model.exists():
            with suppress(InputError):  # weights that no file can hold
                self.save()
        elif self._new_log != self._log:
            self._new_log.unlink(missing_ok=True)


def is_sound(model: LanguageModel) -> bool:
    """Whether the model can be used: finite weights, and finite logits after some tokens."""
    norm = kernels.grad_norm(model.parameters())
    if not math.isfinite(norm):
        return False
    if 2 * max(norm, 1.0) < 1e30 ** (1 / (model.layer.num_layers + 1)):
        return True  # each layer and the output multiply by less than this: logits after a token stay far below 1e38
    return bool(np.isfinite(model(np.arange(min(model.vocab_size, 64))[None])[0]).all())


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
            if saver and is_sound(saver.run.model):
                saver.save()
        raise
    if saver:
        saver.end()
