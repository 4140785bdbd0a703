"""NgramModel: a language model and n-grams of its training text, mixed. Where a `Model` goes, it goes.

    p(token) = w p_network(token) + (1 - w) p_ngrams(token)

This is the only place where they are mixed. One w serves all places at which contexts of the same length are known, and
n-grams and network are about as sure. What it computes is sums, products and quotients of float64, and the logarithm of
`kernels.likelihood`, so the bits are the same wherever the network's are: everywhere, of a quantised one.

Its logits are ln p, float32. Its state is the network's and, last, the n-grams' contexts, int64 (1, B, N).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator

import numpy as np

from .. import given, kernels
from ..errors import InputError
from ..kernels import Array, Decoder, State
from ..kernels.likelihood import ln
from ..text import Reading
from .language import LanguageModel
from .layers import ModelState, pack_state, token_ids, token_logits
from .ngrams import Ngrams
from .quantised import QuantisedModel

_VALUES = 1 << 20  # most probabilities at once
LEAST = 1e-30
"""Least probability of which a logarithm is taken: exp of a float32 is 0 from about -104 down."""


class NgramModel:
    """A model of floats or of integers, mixed with n-grams. `fit` makes one, and `load` reads one.

    It scores and writes like every model. What trains, exports or compresses takes `alone`, the network.

    Args:
        alone: the network, a LanguageModel or a QuantisedModel.
        ngrams: over its vocabulary.
    Raises:
        InputError: n-grams over another vocabulary.
    """

    def __init__(self, alone: LanguageModel | QuantisedModel, ngrams: Ngrams) -> None:
        given.instance("alone", alone, (LanguageModel, QuantisedModel), "a LanguageModel or a QuantisedModel")
        given.instance("ngrams", ngrams, Ngrams, "Ngrams")
        if ngrams.vocab_size != alone.vocab_size:
            raise InputError(f"n-grams over {ngrams.vocab_size} tokens; the model has {alone.vocab_size}")
        self.alone, self.ngrams = alone, ngrams

    @property
    def reading(self) -> Reading:
        """The way from text to ids and back."""
        return self.alone.reading

    @property
    def cell(self) -> str:
        """Name of the network's cell."""
        return self.alone.cell

    @property
    def num_layers(self) -> int:
        """L."""
        return self.alone.num_layers

    @property
    def hidden_size(self) -> int:
        """H."""
        return self.alone.hidden_size

    @property
    def vocab_size(self) -> int:
        """V."""
        return self.alone.vocab_size

    @property
    def num_parameters(self) -> int:
        """The network's weights and biases."""
        return self.alone.num_parameters

    def begin_state(self, batch_size: int) -> ModelState:
        """The state at the start of a text: the network's, and the contexts of no token."""
        return *_parts(self.alone.begin_state(batch_size)), self.ngrams.begin(batch_size)[None]

    def __call__(self, ids: Array, state: ModelState | None = None) -> tuple[Array, ModelState]:
        """
        Args:
            ids: integers (T, B). state: from an earlier call; the start of a text if None.
        Returns:
            logits: ln p, float32 (T, B, V). state: after ids[-1].
        Raises:
            InputError: an id outside the vocabulary, or a state of another shape.
        """
        ids = token_ids(ids, self.vocab_size, "token ids")
        mixed = np.empty((*ids.shape, self.vocab_size), np.float32)
        last = self.begin_state(ids.shape[1]) if state is None else state
        for first, logits, contexts, after in self._read(ids, last):
            mixed[first : first + len(logits)], last = self.mixed(logits, contexts), after
        return mixed, last

    def loss(self, ids: Array, targets: Array, state: ModelState | None = None) -> tuple[float, Array, ModelState]:
        """The cost of `targets` after `ids`, both integers (T, B); a target of -1 does not count.

        Returns:
            mean: nats. nats: float64 (T, B), the cost of each target. state: after ids[-1].
        """
        p, state = self.chances(ids, targets, state)
        nats = np.where(np.asarray(targets) < 0, 0.0, _cost(p))
        return math.fsum(nats.ravel()) / max(1, int((np.asarray(targets) >= 0).sum())), nats, state

    def chances(self, ids: Array, targets: Array, state: ModelState | None = None) -> tuple[Array, ModelState]:
        """The probabilities of `targets` after `ids`, float64 (T, B), and the state; the rest as in `loss`."""
        p, contexts, sure, state = self.parts(ids, targets, state)
        shares = self.ngrams.shares(contexts, sure)
        return (shares * p[0] + (1.0 - shares) * p[1]).reshape(np.shape(ids)), state

    def parts(
        self, ids: Array, targets: Array, state: ModelState | None = None
    ) -> tuple[tuple[Array, Array], Array, Array, ModelState]:
        """The parts that `chances` mixes, at each of R = T B places, step by step.

        Returns:
            p: float64 (R,) each, of the targets: the network's and the n-grams'. contexts: (R, N). sure: float64 (R,),
            of the network's likeliest token. state: after ids[-1].
        """
        ids = token_ids(ids, self.vocab_size, "token ids")
        targets = np.maximum(token_ids(targets, self.vocab_size, "targets", ids), 0)
        own, sure = np.empty(ids.shape), np.empty(ids.shape)
        found = np.empty((*ids.shape, self.ngrams.longest), np.int64)
        last = self.begin_state(ids.shape[1]) if state is None else state
        for first, logits, contexts, after in self._read(ids, last):
            some, p, last = slice(first, first + len(logits)), self.alone.softmax(logits), after
            own[some] = np.take_along_axis(p, targets[some, :, None], -1)[..., 0]
            sure[some], found[some] = p.max(-1), contexts
        contexts = found.reshape(-1, self.ngrams.longest)
        theirs = self.ngrams.probabilities(contexts, targets.ravel())
        return (own.ravel(), theirs), contexts, sure.ravel(), last

    def mixed(self, logits: Array, contexts: Array) -> Array:
        """ln p, float32 (..., V), of every token by the network's logits (..., V) after the contexts (..., N)."""
        p = self.alone.softmax(logits).reshape(-1, self.vocab_size)
        contexts = contexts.reshape(-1, self.ngrams.longest)
        shares = self.ngrams.shares(contexts, p.max(-1))[:, None]
        p = shares * p + (1.0 - shares) * self.ngrams.distributions(contexts)
        return -_cost(p).astype(np.float32).reshape(logits.shape)

    def _read(self, ids: Array, state: ModelState) -> Iterator[tuple[int, Array, Array, ModelState]]:
        """A block of steps at a time: its first step, the network's logits (t, B, V), the contexts (t, B, N), and the
        state after it."""
        B = ids.shape[1]
        *parts, nodes = _parts(state)
        if len(parts) != len(_parts(self.alone.begin_state(0))):
            raise InputError(f"the state has {len(parts) + 1} parts; call begin_state({B}) or pass None")
        contexts = self.ngrams.check(nodes[0] if nodes.ndim == 3 and len(nodes) == 1 else nodes, B)
        steps = max(1, _VALUES // max(1, B * self.vocab_size))
        own = pack_state(tuple(parts))
        for first in range(0, len(ids), steps):
            some = ids[first : first + steps]
            logits, own = self.alone(some, own)
            after = self.ngrams.contexts(contexts, some)
            contexts = after[-1]
            yield first, logits, after, (*_parts(own), contexts[None])

    def log_softmax(self, logits: Array) -> Array:
        """float32 (..., V): ln p of every token, which this model's logits are already.

        Raises:
            InputError: logits of another size.
        """
        return np.array(token_logits(logits, self.vocab_size), np.float32)

    def softmax(self, logits: Array) -> Array:
        """float64 (..., V): p of every token."""
        return kernels.exp(self.log_softmax(logits)).astype(np.float64)

    def activations(self, ids: Array, layer: int, state: ModelState | None = None) -> tuple[Array, ModelState]:
        """Activations of a layer's units after each of the ids (T, B), as the network's method gives them."""
        return self.alone.activations(ids, layer, state)

    def decoder(self, batch_size: int) -> Decoder:
        """Return a decoder, which reads and writes texts token by token, from the start."""
        return MixedDecoder(self, self.alone.decoder(batch_size), self.ngrams.begin(batch_size))

    def named_parameters(self) -> dict[str, Array]:
        """Name -> array, as the file has them: the network's first, then the n-grams'."""
        ngrams = {f"ngrams.{name}": array for name, array in self.ngrams.to_arrays().items()}
        return self.alone.named_parameters() | ngrams

    def digest(self) -> str:
        """SHA-256 over the network's digest and the n-grams': equal digests, equal weights."""
        return hashlib.sha256(f"{self.alone.digest()} {self.ngrams.digest()}".encode()).hexdigest()

    def fingerprint(self) -> str:
        """SHA-256 of all that decides what the model computes from a text."""
        return hashlib.sha256(f"{self.alone.fingerprint()} {self.ngrams.digest()}".encode()).hexdigest()

    def serving(self) -> tuple[str, str]:
        """Which backend computes, and with what."""
        return self.alone.serving()

    def __repr__(self) -> str:
        return f"NgramModel({self.alone!r}, {self.ngrams!r})"


class MixedDecoder:
    """A `kernels.Decoder` that gives the mixture's logits. Its loop over tokens is Python's."""

    def __init__(self, model: NgramModel, own: Decoder, contexts: Array) -> None:
        self._model, self._own, self._contexts, self.logits = model, own, contexts, np.array(own.logits)

    @property
    def state(self) -> State:
        """The network's, and the contexts (1, B, N)."""
        return *self._own.state, self._contexts[None]

    def read(self, ids: Array) -> None:
        """Read ids (T, B); `logits` are those after the last."""
        if len(ids):
            self._own.read(ids)
            self._contexts = self._model.ngrams.contexts(self._contexts, ids)[-1]
            self.logits = self._model.mixed(self._own.logits, self._contexts)

    def like(self, state: State, logits: Array) -> MixedDecoder:
        """Other rows, which go on from copies of these."""
        made = MixedDecoder(self._model, self._own.like(state[:-1], logits), np.array(state[-1][0]))
        made.logits = np.array(logits)
        return made


def _parts(state: ModelState) -> tuple[Array, ...]:
    return tuple(state) if isinstance(state, (tuple, list)) else (state,)


def _cost(p: Array) -> Array:
    """-ln p, float64."""
    return -ln(np.maximum(p, LEAST))
