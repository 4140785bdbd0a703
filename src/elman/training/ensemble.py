"""Ensemble: the networks of a training, one or several, and what its steps do to them.

Several are trained side by side on the same batches, each on the loss of its own logits, and differ by their initial
weights and by what dropout takes. The model is the mean of their logits: a recurrent layer whose units are divided
into groups that do not see each other, below an output whose weights are divided by the number of networks, computes
just this. So it is a model as any other, with so many times the units.

Source: Hansen and Salamon (1990), Neural network ensembles.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import numpy as np

from .. import philox
from ..errors import InputError
from ..kernels import Array, Dropout, ModelWeights, State, Stepper, StepResult
from ..model import LanguageModel
from ..parallel.group import Group
from ..parallel.shards import mask_words
from ..parallel.stepper import ShardedStepper
from ..recipes.recipe import Recipe
from .optimiser import Optimiser
from .side_by_side import SideBySide


class Ensemble:
    """The networks of a training, their optimisers and their carried states.

    Args:
        model: the one that they make up; its memory is theirs where there is one network, and otherwise holds their
            latest weights after `sync`.
        stepper: makes what trains a network.
    Raises:
        InputError: the model cannot be divided into so many networks.
    """

    def __init__(
        self, model: LanguageModel, recipe: Recipe, stepper: Callable[[ModelWeights], Stepper], group: Group
    ) -> None:
        self._model, self._recipe, count = model, recipe, recipe.networks
        self._networks = [model.network] if count == 1 else divided(model.network, count)
        self._steppers = [stepper(network) for network in self._networks]
        self._side_by_side = SideBySide(self._steppers)
        slices = [each.slices if isinstance(each, ShardedStepper) else None for each in self._steppers]
        of_each = zip(self._networks, slices, strict=True)
        self._optimisers = [Optimiser(network, recipe, part, group.rank) for network, part in of_each]

    @property
    def steps(self) -> int:
        """Steps so far."""
        return self._optimisers[0].steps

    @property
    def state(self) -> State:
        """(L, B, H) each, of the whole model: what the next batch goes on from."""
        if len(self._steppers) == 1:
            return self._steppers[0].state
        of_each = zip(*(each.state for each in self._steppers), strict=True)
        return tuple(np.concatenate(parts, axis=2) for parts in of_each)

    @state.setter
    def state(self, value: State) -> None:
        count = len(self._steppers)
        parts = [[np.ascontiguousarray(part) for part in np.split(of_all, count, axis=2)] for of_all in value]
        for stepper, state in zip(self._steppers, zip(*parts, strict=True), strict=True):
            stepper.state = state

    def step(self, ids: Array, targets: Array, fresh: bool, lr: float, masked: int) -> tuple[StepResult, int]:
        """Train every network on a batch, (T, B) each; fresh: from a zero state.

        Args:
            masked: words of dropout's stream that are used.
        Returns:
            the mean of their losses, and the norms of all their gradients together; and words that were used up.
        """
        steps, begin = list[Callable[[], StepResult]](), masked
        for network, stepper, optimiser in zip(self._networks, self._steppers, self._optimisers, strict=True):
            dropout, words = self._dropout(network, ids.shape[0], ids.shape[1], masked)
            steps.append(partial(stepper.step, ids, targets, fresh, dropout, optimiser.next(lr)))
            masked += words
        return _together(self._side_by_side(steps)), masked - begin

    def _dropout(self, network: ModelWeights, steps: int, rows: int, masked: int) -> tuple[Dropout | None, int]:
        """A network's next masks, for a batch of (steps, rows), and how many words they take."""
        r, p = self._recipe, self._model.layer.dropout
        if not (p or r.hidden_dropout or r.output_dropout or r.weight_dropout):
            return None, 0
        seed = philox.dropout_seed(r.seed)
        dropout = Dropout(p, seed, masked, r.hidden_dropout, r.output_dropout, r.weight_dropout)
        return dropout, sum(mask_words(dropout, network, steps, rows, r.shards))

    def done(self) -> None:
        """The step was made."""
        for optimiser in self._optimisers:
            optimiser.done()

    def sync(self, group: Group) -> None:
        """Bring together what checkpoints and averages need, in the first process, and the latest weights into the
        model. Called by all processes."""
        for stepper, optimiser in zip(self._steppers, self._optimisers, strict=True):
            stepper.sync()
            optimiser.gather(group)
        self._join()

    def _join(self) -> None:
        if len(self._networks) > 1:
            join(self._model.network, self._networks)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The model's arrays hold the averages meanwhile, if there are any; of several processes, the first one's."""
        with ExitStack() as stack:
            stack.callback(self._join)  # when the averages have left the networks again
            for optimiser in self._optimisers:
                stack.enter_context(optimiser.averaged())
            self._join()
            yield

    def settle(self, group: Group) -> None:
        """The averages become the weights, for good. Called by all processes."""
        for optimiser in self._optimisers:
            optimiser.settle(group)
        self._join()

    def tensors(self) -> dict[str, Array]:
        """All that `restore` needs, by name."""
        if len(self._networks) == 1:
            return self._optimisers[0].tensors()
        found = {}
        for k, (network, optimiser) in enumerate(zip(self._networks, self._optimisers, strict=True)):
            kept = {f"weight.{i}": array for i, array in enumerate(network.weights())} | optimiser.tensors()
            found |= {f"network.{k}.{name}": array for name, array in kept.items()}
        return found

    def restore(self, steps: int, tensors: dict[str, Array]) -> None:
        """Go on from what `tensors` gave. Raises KeyError or ValueError where they are another recipe's."""
        for k, (network, optimiser) in enumerate(zip(self._networks, self._optimisers, strict=True)):
            begin = "" if len(self._networks) == 1 else f"network.{k}."
            of_it = {name.removeprefix(begin): array for name, array in tensors.items() if name.startswith(begin)}
            optimiser.restore(steps, of_it)
            for i, weight in enumerate(network.weights() if begin else ()):
                kept = of_it[f"weight.{i}"]
                if kept.shape != weight.shape or kept.dtype != np.float32 or not np.isfinite(kept).all():
                    raise ValueError(f"{begin}weight.{i} is {kept.dtype} {kept.shape}; expected {weight.shape}")
                weight[...] = kept


def _together(results: list[StepResult]) -> StepResult:
    if len(results) == 1:
        return results[0]
    norms = [math.hypot(*of_layer) for of_layer in zip(*(result.layer_norms for result in results), strict=True)]
    loss = math.fsum(result.loss for result in results) / len(results)
    return StepResult(loss, math.hypot(*(result.norm for result in results)), norms)


def seeds(seed: int, count: int) -> list[int]:
    """The seeds of the initial weights of so many networks; the first one's is the recipe's."""
    return [seed, *philox.words(seed, philox.NETWORKS, count - 1).tolist()]


def made_of(whole: ModelWeights, count: int) -> bool:
    """Whether a model is made up of so many networks: see `join`. One that is a single network is not."""
    if whole.hidden_size % count or (whole.embedding is not None and whole.embedding.shape[1] % count):
        return False
    of_all = [_views(whole, k, count) for k in range(count)]
    blocks = [view for k, views in enumerate(of_all) for view in (views if k == 0 else views[:-1])]
    return sum(map(np.count_nonzero, whole.weights())) == sum(map(np.count_nonzero, blocks))


def divided(whole: ModelWeights, count: int) -> list[ModelWeights]:
    """The networks that make up a model: copies.

    Raises:
        InputError: it is not made up of so many: see `join`.
    """
    if not made_of(whole, count):
        raise InputError(
            f"networks is {count}, and the model of {whole.hidden_size} units is not made up of so many; build it for "
            "the recipe, or train it with networks 1",
            setting="networks",
        )
    return [_network(whole, _views(whole, k, count), count) for k in range(count)]


def join(whole: ModelWeights, networks: list[ModelWeights]) -> None:
    """Make the logits of `whole` the mean of the networks' logits, up to rounding. The networks' weights become blocks
    of its weights; all else in it must be zero, and stays so."""
    count, biases = len(networks), np.zeros(whole.vocab_size)
    for k, network in enumerate(networks):
        *blocks, output, _ = _views(whole, k, count)
        *weights, dense, bias = network.weights()
        for block, weight in zip(blocks, weights, strict=True):
            block[...] = weight.reshape(block.shape)
        output[...] = dense / np.float32(count)
        biases += bias
    assert whole.bias is not None
    whole.bias[...] = biases / count


def _views(whole: ModelWeights, k: int, count: int) -> list[Array]:
    """Network k's blocks of `whole.weights()`: (G, H, columns) of a matrix, (G, H) of a bias, (V, H) of the output, and
    of its bias all, which is shared."""
    gates, size, of_tokens = whole.cell.gates, whole.hidden_size // count, whole.embedding is None
    views = [] if whole.embedding is None else [whole.embedding.reshape(len(whole.embedding), count, -1)[:, k]]
    for layer in whole.layers:
        for weight in layer:
            if weight is None:
                continue
            rows = weight.reshape(gates, count, size, -1)[:, k]
            if weight.ndim == 1:
                views.append(rows[..., 0])
            elif of_tokens and weight is whole.layers[0][0]:
                views.append(rows)
            else:
                views.append(rows.reshape(gates, size, count, -1)[:, :, k])
    assert whole.bias is not None
    return [*views, whole.weight.reshape(-1, count, size)[:, k], whole.bias]


def _network(whole: ModelWeights, views: list[Array], count: int) -> ModelWeights:
    arrays = iter(np.array(view, dtype=np.float32, order="C") for view in views)
    embedding = None if whole.embedding is None else next(arrays)
    layers = []
    for w_ih, w_hh, b_ih, b_hh in whole.layers:
        of_layer = [None if w is None else next(arrays) for w in (w_ih, w_hh, b_ih, b_hh)]
        flat = [None if w is None else w.reshape(-1, w.shape[2]) if w.ndim == 3 else w.reshape(-1) for w in of_layer]
        layers.append(tuple(flat))
    return ModelWeights(whole.cell, tuple(layers), next(arrays) * np.float32(count), next(arrays), embedding)
