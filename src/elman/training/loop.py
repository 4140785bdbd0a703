"""The loop: truncated back-propagation through time with a carried state, and clipping by the global norm.

It yields each step and each epoch. Saving, callbacks and signals are the business of who consumes them.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any

import numpy as np

from .. import __version__
from ..errors import InputError, ModelFileError, TrainingDiverged
from ..kernels import Array, ModelWeights, Stepper, StepResult
from ..parallel.group import Group
from ..parallel.shards import rows_of
from ..runs.checkpoint import Checkpoint
from ..runs.log import Epoch, as_json, from_json, out_of_patience
from ..runs.run import Means, Run, Step
from ..scoring import perplexity
from ..typed import Fields
from . import budget
from .budget import Budget
from .data import Records, Text
from .ensemble import Ensemble
from .measure import check_sound, measure
from .schedule import learning_rate


class Training:
    """A run, its data and its networks, and where it stands.

    Args:
        stepper: makes what trains a network.
        loaded: how the corpus was loaded, for the checkpoint. group: the processes that share the work.
    Raises:
        InputError: minutes with several processes, or a model that is not of the recipe's number of networks.
    """

    def __init__(
        self,
        run: Run,
        data: Text | Records,
        stepper: Callable[[ModelWeights], Stepper],
        loaded: dict[str, Any] | None,
        group: Group,
    ) -> None:
        self.run, self.model, self.recipe = run, run.model, run.recipe
        self.data, self.loaded, self.group = data, loaded, group
        self.ensemble = Ensemble(run.model, run.recipe, stepper, group)
        self.number, self.means = 1, Means()  # the epoch under way
        self.masked = 0  # words of dropout's stream that are used
        self._within = False  # a step, which has changed some of all this
        self.seconds, self._start = 0.0, budget.now()  # before this process, and its beginning
        if run.minutes is not None and group.size > 1:
            raise InputError("minutes are of one process's clock; leave them out, or train with one process")
        self.budget = None if run.minutes is None else Budget(run.minutes)
        self._ending = False  # the budget's time is up
        self._waited = 0.0  # for other processes, before this epoch

    def joined(self) -> AbstractContextManager[None]:
        """Meet the other processes of this training, if there are any. Raises as `Group.joined`."""
        return self.group.joined(self._what())

    def agreed(self, *wishes: bool) -> list[bool]:
        """Which of these any process wants. Called by all of them, with as many wishes."""
        of_all = self.group.gather(bytes(wishes))
        return [any(of_one) for of_one in zip(*of_all, strict=True)]

    def sync(self) -> None:
        """Bring together what `snapshot` and the averages need, in the first process. Called by all of them."""
        self.ensemble.sync(self.group)

    def events(self, stopped: Callable[[], bool]) -> Iterator[StepResult | Epoch]:
        """Train: every step that is left, and the line of each epoch after its steps, when it is in the run's log.

        Between two events `snapshot` and the weights are whole.

        Args:
            stopped: asked before each step, which is not made where it answers true. The run is `interrupted` then.
        Raises:
            TrainingDiverged: a loss, a gradient or the weights are no longer finite.
        """
        run = self.run
        while not self._done():
            run.interrupted = stopped() or not (yield from self._steps(stopped))
            if run.interrupted:
                return
            line = self._measure()
            run.log.append(line)
            self.number, self.means = self.number + 1, Means()
            yield line

    def _steps(self, stopped: Callable[[], bool]) -> Generator[StepResult, None, bool]:
        """Train the rest of the epoch under way; return False if it was stopped."""
        means, start = self.means, budget.now() - self.means.seconds
        for ids, targets, fresh in islice(self.data.batches(self.number, self._rows()), means.steps, None):
            if stopped():
                self.sync()
                return False
            result = self._step(ids, targets, fresh)
            means.seconds = budget.now() - start
            if self.budget:
                self._ending = self._time_is_up()
            yield result
            if self._ending:
                break
        self.sync()
        return True

    def _rows(self) -> tuple[int, int] | None:
        """The rows of a batch of text that this process computes; None: all."""
        group, r = self.group, self.recipe
        return None if group.size == 1 else rows_of(group.rank, group.size, r.shards, r.batch_size)

    def _step(self, ids: Array, targets: Array, fresh: bool) -> StepResult:
        """One step on a batch, (T, B) each; fresh: from a zero state."""
        recipe, means = self.recipe, self.means
        means.lr = learning_rate(recipe, self.ensemble.steps + 1, self.fraction(), self.run.log)
        self._within = True
        result, words = self.ensemble.step(ids, targets, fresh, means.lr, self.masked)
        if not (math.isfinite(result.loss) and math.isfinite(result.norm)):
            clip = "none" if recipe.clip is None else f"{recipe.clip:g}"
            raise TrainingDiverged(
                f"training diverged at epoch {self.number}, step {means.steps + 1}: loss {result.loss:g}, gradient "
                f"norm {result.norm:g}; use a lower learning rate (now {means.lr:g}) or clip more (now {clip})"
            )
        means.add(result, int(np.count_nonzero(targets >= 0)))
        self.ensemble.done()
        self.masked += words
        self._within = False
        return result

    def progress(self, result: StepResult) -> Step:
        """Progress of training after the step that gave this result."""
        means = self.means
        so_far, rate = perplexity(means.nats / means.count / math.log(2)), means.count / means.seconds
        return Step(self.number, self.recipe.epochs, self.fraction(), so_far, result.norm, rate, means.lr)

    def _done(self) -> bool:
        """Whether no epoch is left: by the budget if there is one, by the recipe's epochs, or by its patience."""
        if self.budget and self.run.log and self._ending:
            return True
        return self.number > self.recipe.epochs or out_of_patience(self.recipe, self.run.log)

    def _measure(self) -> Epoch:
        """The line of the epoch that has just ended; with a budget, a new plan of how many there will be."""
        before, due = self.elapsed(), self.number % self.recipe.eval_every == 0
        if self.budget and not self._ending:  # what is left after measuring may be too little for another epoch
            self._ending = self.budget.fraction(before + due * self.budget.evaluation) >= 1.0
        ended = self._ending if self.budget else self.number == self.recipe.epochs
        check_sound(self.model, self.number, self.means)
        line = None
        if self.group.rank == 0:  # the others would read the same text to find the same
            with self.ensemble.averaged():
                line = measure(self.model, self.data, self.recipe, self.number, self.means, before, ended)
        if self.group.size > 1:
            line = self._shared(line)
        assert line
        if self.budget is None:
            return line
        if line.val_perplexity is not None:
            self.budget.evaluation = self.elapsed() - before
        done = self.number if self._ending else self.budget.epochs(self.number, self.elapsed())
        self.recipe = self.run.recipe = self.recipe.replace(epochs=done)
        part = min(1.0, self.means.count / self.data.size)
        return dataclasses.replace(line, part=round(part, 4), minutes=self.run.minutes)

    def _shared(self, line: Epoch | None) -> Epoch:
        """The first process's line, with the seconds that every process waited in this epoch."""
        waited = round(self.group.waited - self._waited, 3)
        mine = {"waited": waited} | ({"line": as_json(line)} if line else {})
        of_all = [json.loads(data) for data in self.group.gather(json.dumps(mine).encode())]
        self._waited = self.group.waited
        found = from_json(Fields(of_all[0]["line"], "the line of an epoch"))
        return dataclasses.replace(found, waited=[of_one["waited"] for of_one in of_all])

    def _time_is_up(self) -> bool:
        """Whether the budget has no time for another step and for measuring the last epoch."""
        assert self.budget
        if not self.budget.evaluation:  # not measured yet: to read a character costs about as much as to train on it
            self.budget.evaluation = self.data.held_out * self.means.seconds / self.means.count
        return self.budget.fraction(self.elapsed()) >= 1.0

    def _what(self) -> dict[str, Any]:
        """Text and state of the training, on which all processes must agree."""
        return dataclasses.asdict(self.recipe) | {
            "version of Elman": __version__,
            "text's SHA-256": self.run.corpus["digest"],
            "weights": self.model.fingerprint(),
            "place in the run": [self.number, self.means.steps, self.ensemble.steps, self.masked],
        }

    def fraction(self) -> float:
        """The share of all the work that is done, 0..1."""
        if self.budget:
            return self.budget.fraction(self.elapsed())
        return (self.number - 1 + min(self.means.count / self.data.size, 1.0)) / self.recipe.epochs

    def elapsed(self) -> float:
        """Seconds of training, those before a resume included."""
        return self.seconds + budget.now() - self._start

    def snapshot(self) -> Checkpoint | None:
        """A checkpoint of training; None within a step that failed."""
        if self._within:
            return None
        state = {f"state.{i}": part for i, part in enumerate(self.ensemble.state)}
        position = (self.number, self.means, self.ensemble.steps, self.masked, self.elapsed())
        return Checkpoint(self.run, *position, self.loaded, state | self.ensemble.tensors())

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from where `snapshot` was taken. Raises ModelFileError if it does not fit the recipe."""
        self.number, self.means, self.masked = checkpoint.epoch, checkpoint.means, checkpoint.masked
        self.seconds, self._start = checkpoint.seconds, budget.now()
        try:
            self.ensemble.restore(checkpoint.steps, checkpoint.tensors)
            self.ensemble.state = self._state(checkpoint.tensors)
        except (KeyError, ValueError) as error:
            raise ModelFileError(f"{self.run.path}: its checkpoint does not fit its recipe: {error}") from None

    def _state(self, tensors: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
        """The carried state, (L, B, H) each. Raises KeyError or ValueError where it is another's."""
        (layers, _, size), most = self.ensemble.state[0].shape, self.recipe.batch_size
        coming = next(islice(self.data.batches(self.number), self.means.steps, None), None)
        least = 0 if coming is None or coming[2] else coming[0].shape[1]  # rows that go on with it
        state = tuple(np.array(tensors[f"state.{i}"]) for i in range(self.model.network.cell.states))
        for part in state:
            fits = part.ndim == 3 and part.shape[::2] == (layers, size) and least <= part.shape[1] <= most
            if not (fits and part.dtype == np.float32 and np.isfinite(part).all()):
                expected = f"finite float32 ({layers}, {most}, {size})"
                raise ValueError(f"the carried state is {part.dtype} {part.shape}; expected {expected}")
        return state
