"""Streams: texts that grow side by side; the one loop over characters, here or in the kernel.

A draw is a function of (seed, stream, step) alone, and a choice of the logits and that draw alone, so a text does not
depend on what else is in the batch, on how it is cut into calls, or on where the loop runs.
"""

from __future__ import annotations

import numpy as np

from .. import philox
from ..model import Model
from .choose import choose
from .sampling import Sampling


class Streams:
    """B texts that grow side by side, from one prompt each: where the loop over characters is.

    Args:
        prompts: int64 (T, B), without the `Reading.start` that is read before them. T may be 0.
        sampling: its seed and a stream's number give the stream's draws.
        first: number of the first stream, so that a batch can be a part of a larger one.
    """

    def __init__(self, model: Model, prompts: np.ndarray, sampling: Sampling, first: int = 0) -> None:
        self.sampling, self._bias = sampling, sampling.bias(model.reading.vocabulary)
        batch = prompts.shape[1]
        self._words = [philox.generator(sampling.seed, philox.DRAW + first + b) for b in range(batch)]
        self._decoder = model.decoder(batch)
        self._seen = np.zeros((batch, model.vocab_size), dtype=bool)
        if len(prompts):
            self._seen[np.arange(batch), prompts] = True
        self._decoder.read(model.reading.primed(prompts))

    def advance(self, steps: int) -> np.ndarray:
        """The next int64 (steps, B) ids. Many short calls give what one long one does."""
        s, native = self.sampling, getattr(self._decoder, "generate", None)
        if native is not None:
            draws = None
            if s.temperature != 0:
                draws = philox.unit(np.stack([words.random_raw(steps) for words in self._words], axis=1))
            return native(
                steps,
                self._bias,
                s.exponent,
                draws,
                top_k=s.top_k,
                top_p=s.top_p,
                min_p=s.min_p,
                penalty=s.repetition_penalty,
                seen=self._seen,
            )
        made = np.empty((steps, len(self._words)), dtype=np.int64)
        for t in range(steps):
            for b, words in enumerate(self._words):
                u = float(philox.unit(words.random_raw(1))[0])
                made[t, b] = choose(self._shape(b), self.sampling, u)
            self._seen[np.arange(len(self._words)), made[t]] = True
            self._decoder.read(made[t : t + 1])
        return made

    def _shape(self, b: int) -> np.ndarray:
        """float32 (V,): the logits of stream b after bias and penalty."""
        logits = self._decoder.logits[b] if self._bias is None else self._decoder.logits[b] + self._bias
        penalty = np.float32(self.sampling.repetition_penalty)
        if penalty == 1:
            return logits
        return np.where(self._seen[b], np.where(logits > 0, logits / penalty, logits * penalty), logits)


def generate_ids(model: Model, ids: np.ndarray, length: int, sampling: Sampling, num_samples: int = 1) -> np.ndarray:
    """int64 (length, num_samples) to follow the prompt ids (T,), stream b drawing from (sampling.seed, b)."""
    prompts = np.repeat(ids.astype(np.int64)[:, None], num_samples, axis=1)
    return Streams(model, prompts, sampling).advance(length)
