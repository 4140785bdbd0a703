"""The decoder in native code: it reads ids, and has the loop over characters too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ..errors import InputError
from . import _cpu
from .backend import Array, ModelWeights, State
from .handles import int64s, native_network, second

_packed: WeakKeyDictionary[ModelWeights, tuple[int, _cpu.Packed]] = WeakKeyDictionary()
"""Packed weights, with the fingerprint of those they were made from."""


class NativeDecoder:
    """A Decoder that also has the loop over characters in native code."""

    def __init__(self, over: Callable[[State, Array], Any], state: State, logits: Array) -> None:
        """over: makes a decoder of `_cpu`, whose state (L, B, H) each and logits (B, V) are these arrays."""
        self._over, self._handle, self.state, self.logits = over, over(state, logits), state, logits

    def read(self, ids: Array) -> None:
        self._handle.read(int64s(ids))

    def like(self, state: State, logits: Array) -> NativeDecoder:
        return NativeDecoder(
            self._over, tuple(np.array(part, order="C") for part in state), np.array(logits, order="C")
        )

    def generate(
        self,
        steps: int,
        bias: Array | None,
        exponent: float,
        draws: Array | None,
        *,
        top_k: int | None = None,
        top_p: float | None = None,
        min_p: float | None = None,
        penalty: float = 1.0,
        seen: Array | None = None,
        each: Array | None = None,
        counts: Array | None = None,
        trace: Array | None = None,
    ) -> Array:
        """The next ids, int64 (steps, B): the likeliest ones if exponent < 0, else those that draws, float64 (steps, B)
        in [0, 1), fall on.

        Args:
            bias: float32 (V,) or None. top_k, top_p, min_p, penalty: as `generation.Sampling` says.
            seen: uint8 (B, V), what the penalty is for, updated.
            each: float64 (B, 7), settings of every row in place of those above: exponent, penalty, top_k (0: all),
                top_p, min_p (below 0: all), presence and frequency penalty. Then `bias` is (B, V).
            counts: int64 (B, V), how often each row has written each id, updated.
            trace: float32 (steps, B, V), receives the logits before each choice.
        Raises:
            InputError: logits that are not numbers.
        """
        ids = np.empty((steps, len(self.logits)), dtype=np.int64)
        sound = self._handle.generate(
            ids=ids,
            bias=bias,
            exponent=exponent,
            draws=draws,
            top_k=top_k or 0,
            top_p=-1.0 if top_p is None else top_p,
            min_p=-1.0 if min_p is None else min_p,
            penalty=penalty,
            seen=seen if penalty != 1 or each is not None else None,
            each=each,
            counts=counts,
            trace=trace,
        )
        if not sound:
            raise InputError("the model's logits are not numbers; its training has diverged")
        return ids


def decoder(network: ModelWeights, batch_size: int) -> NativeDecoder:
    """Packs the weights once, and again only when they have changed."""
    fingerprint = native_network(network).fingerprint()
    known = _packed.get(network)
    if known is None or known[0] != fingerprint:
        known = _packed[network] = (fingerprint, _cpu.Packed(native_network(network)))
    state, logits = network.begin_state(batch_size), np.zeros((batch_size, network.vocab_size), dtype=np.float32)
    packed = known[1]
    return NativeDecoder(
        lambda state, logits: _cpu.Decoder(packed, h=state[0], c=second(state), logits=logits), state, logits
    )
