"""RunFolder: the files of a training run's folder. Nothing else spells their names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..model.container import BEST, LAST


@dataclass(frozen=True)
class RunFolder:
    """The paths in a run's folder, which need not exist.

    A run that replaces another one keeps its log and checkpoint in `new_log` and `new_checkpoint` until its first
    model is saved.
    """

    path: Path

    @property
    def model(self) -> Path:
        """The model at the last save; its averaged weights, if the recipe keeps an average."""
        return self.path / LAST

    @property
    def best(self) -> Path:
        """The model with the lowest held-out loss, if any was measured."""
        return self.path / BEST

    @property
    def checkpoint(self) -> Path:
        """All that training needs to go on from the last save."""
        return self.path / "checkpoint.safetensors"

    @property
    def new_checkpoint(self) -> Path:
        return self.path / "checkpoint.new.safetensors"

    @property
    def log(self) -> Path:
        """A line of JSON for each epoch."""
        return self.path / "log.jsonl"

    @property
    def new_log(self) -> Path:
        return self.path / "log.new.jsonl"

    @property
    def curve(self) -> Path:
        """The training curve as a picture."""
        return self.path / "curve.svg"

    @property
    def events(self) -> Path:
        """The log as TensorBoard reads it."""
        return self.path / "tensorboard" / "events.out.tfevents.elman"

    @property
    def written(self) -> tuple[Path, ...]:
        """The files that a training may write here."""
        return self.model, self.best, self.checkpoint, self.new_checkpoint, self.log, self.new_log, self.curve

    def latest_checkpoint(self) -> Path | None:
        """The checkpoint to go on from, a replacing run's first; None if there is none."""
        return next((path for path in (self.new_checkpoint, self.checkpoint) if path.exists()), None)

    def holds_run(self) -> bool:
        """Whether there is a model or a checkpoint."""
        return self.model.exists() or self.latest_checkpoint() is not None

    def is_trained_in(self) -> bool:
        """Whether a training has begun here: there is a log or a checkpoint."""
        return self.log.exists() or self.latest_checkpoint() is not None
