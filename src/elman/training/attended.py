"""Attended: a training with all that goes on beside it: a locked folder, saves, callbacks, and signals that end it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..runs.events import Events
from ..runs.folder import RunFolder
from ..runs.lock import locked
from ..runs.log import Epoch
from ..runs.run import Step
from ..runs.saver import Saver, saved_whatever_happens
from .interrupt import interrupts
from .loop import Training
from .mixing import Mixing

OnStep = Callable[[Step], None]
OnEpoch = Callable[[Epoch], None]


@dataclass(frozen=True)
class Attended:
    """A training with all that goes on beside it: a locked folder, saves, callbacks, and signals that end it."""

    training: Training
    on_step: OnStep | None
    on_epoch: OnEpoch | None
    save_seconds: float
    tensorboard: bool
    mixing: Mixing | None = None
    resumed: bool = False

    def run(self) -> None:
        """Train to the end, or until a signal; save whatever happens."""
        training, run, saver, events = self.training, self.training.run, None, None
        if run.path:
            run.path.mkdir(parents=True, exist_ok=True)
        with training.joined(), locked(run.path), interrupts() as interrupted:
            training.sync()
            if run.path:
                averaged, seconds = training.ensemble.averaged, self.save_seconds
                sync = training.sync if training.group.size == 1 else None
                saver = Saver(run, averaged, sync, training.snapshot, seconds, self.resumed, self.mixing)
                events = Events(RunFolder(run.path), run.log) if self.tensorboard else None

            def stopped() -> bool:
                """Save where it is due, and say whether to stop: as the processes agree, between two steps."""
                stop, due = training.agreed(interrupted.is_set(), saver is not None and saver.is_due())
                if due:
                    training.sync()
                    if saver:
                        saver.save_if_sound()
                return stop

            with saved_whatever_happens(saver):
                for event in training.events(stopped):
                    if isinstance(event, Epoch):
                        self._after_epoch(event, saver, events)
                    elif self.on_step:
                        self.on_step(training.progress(event))
            training.ensemble.settle(training.group)
            if self.mixing and not saver and training.group.rank == 0:
                found = self.mixing(run.model)
                run.mixed, run.ngrams = found.model, found.summary()
        interrupted.deliver()

    def _after_epoch(self, line: Epoch, saver: Saver | None, events: Events | None) -> None:
        if saver:
            saver.after_epoch()
        if events:
            events.add(line)
        if self.on_epoch:
            with self.training.ensemble.averaged():
                self.on_epoch(line)
