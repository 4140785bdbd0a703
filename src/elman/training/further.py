"""Further: a run that is to train longer than it was told at first, or for how long it is to go on by the clock."""

from __future__ import annotations

from .. import given
from ..errors import InputError
from ..runs.checkpoint import Checkpoint
from ..runs.log import best, no_better, out_of_patience
from .schedule import learning_rate


def further(
    checkpoint: Checkpoint, epochs: int | None = None, patience: int | None = None, minutes: float | None = None
) -> None:
    """Change how far the run of a checkpoint goes. A schedule that falls to 0 is spread over all of it anew.

    Args:
        epochs: in all, in place of the recipe's. minutes: from now on, in place of epochs.
        patience: in place of the recipe's; 0: none.
    Raises:
        InputError: fewer epochs than are done, or a patience that has ended the run already; says what to give.
    """
    run, done = checkpoint.run, checkpoint.epoch - 1
    if epochs is not None and minutes is not None:
        raise InputError("minutes decide the epochs; give one of the two")
    if epochs is not None and given.whole("epochs", epochs, 0) < done:
        raise InputError(f"epochs is {epochs}, and {done} are done already; give {done + 1} or more to train further")
    if patience is not None:
        run.recipe = run.recipe.replace(patience=patience or None)
    if epochs is not None:
        run.recipe, run.minutes = run.recipe.replace(epochs=epochs), None
    if minutes is not None:
        given.amount("minutes", minutes)
        run.minutes = checkpoint.seconds / 60 + minutes
        run.recipe = run.recipe.replace(epochs=max(run.recipe.epochs, checkpoint.epoch))
    if (epochs is not None or minutes is not None) and out_of_patience(run.recipe, run.log):
        raise InputError(
            f"{where(checkpoint)}, so it does not train further; {more_patience(checkpoint)}", setting="patience"
        )


def where(checkpoint: Checkpoint) -> str:
    """Say why a finished run ended."""
    recipe, log = checkpoint.run.recipe, checkpoint.run.log
    if out_of_patience(recipe, log):
        return f"its patience of {recipe.patience} ended this run after {len(log)} epochs"
    return f"all {len(log)} epoch{'' if len(log) == 1 else 's'} of this run are done"


def more_patience(checkpoint: Checkpoint) -> str:
    """Say how to continue a run that its patience ended."""
    lowest = best(checkpoint.run.log)
    worse = sum(epoch.epoch > lowest.epoch for epoch in no_better(checkpoint.run.log)) if lowest else 0
    return f"`patience` {worse + 1} or more, or 0 for none, lets it go on"


def what_to_do(checkpoint: Checkpoint) -> str:
    """A line of advice for continuing a finished run."""
    done = len(checkpoint.run.log)
    longer = f"`epochs` {done + 1} or more, or `minutes`, trains it further"
    if out_of_patience(checkpoint.run.recipe, checkpoint.run.log):
        longer = more_patience(checkpoint) + ("" if done < checkpoint.run.recipe.epochs else f"; so does {longer}")
    return f"nothing to do: {where(checkpoint)}; {longer}"


def new_schedule(checkpoint: Checkpoint) -> str:
    """A note on the learning rate of a run that is made longer; "" if nothing changes."""
    run = checkpoint.run
    if run.recipe.schedule not in ("linear", "cosine") or checkpoint.fresh:
        return ""
    last = checkpoint.means.lr or run.log[-1].lr
    if run.minutes is None:
        fraction = (checkpoint.epoch - 1) / run.recipe.epochs
    else:
        fraction = checkpoint.seconds / (60 * run.minutes)
    rate = learning_rate(run.recipe, checkpoint.steps + 1, fraction, run.log)
    return (
        f"the {run.recipe.schedule} schedule is spread over the new length: the learning rate was {last:.2g} and "
        f"begins again at about {rate:.2g}; where a run is to be trained further, start it with `schedule` plateau"
    )
