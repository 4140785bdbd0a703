"""What a text costs under a model: the surprisal of every character, in bits.

The first character has no context and costs log2 V bits, so that the total is the length that a coder would emit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from .model import LanguageModel
from .text import normalise

_CHUNK = 1024  # steps per call: bounds memory, and does not change a bit of the result


@dataclass(frozen=True)
class Score:
    """The cost of a text under a model."""

    text: str
    """What was scored: the text after the model's normalisation."""
    surprisal: np.ndarray
    """float64 (T,), bits of each character (or byte)."""
    unknown: int
    """Characters that the model's vocabulary lacks; each was scored as <unk>."""

    @property
    def bits(self) -> float:
        """The whole text's, summed without rounding on the way."""
        return math.fsum(self.surprisal)

    @property
    def bits_per_char(self) -> float:
        return self.bits / len(self.surprisal)

    @property
    def perplexity(self) -> float:
        """2 to the bits per character, which is exp of the mean nats."""
        return 2.0**self.bits_per_char if self.bits_per_char < 1000 else math.inf


def score(model: LanguageModel, text: str | bytes) -> Score:
    """Cost of `text` under `model`, in bits.

    Args:
        text: str, normalised as the model's corpus was; or bytes, for a model of bytes.
    Returns:
        a Score: the surprisal of every character, their sum and mean, the perplexity.
    Raises:
        ValueError: an empty text, or a model without a vocabulary.
    Source: Shannon (1948); the length that a coder would emit.
    """
    if model.vocabulary is None:
        raise ValueError("the model has no vocabulary; train it with fit, or set model.vocabulary")
    if isinstance(text, str):
        text = normalise(text, model.normalisation)
    ids = model.vocabulary.encode(text)
    if not len(ids):
        raise ValueError("nothing to score: the text is empty")
    bits = np.empty(len(ids))
    bits[0] = math.log2(model.vocab_size)
    bits[1:] = stream_nats(model, ids) / math.log(2)
    shown = text if isinstance(text, str) else text.decode("utf-8", "replace")
    return Score(shown, bits, model.vocabulary.unknown(ids))


@torch.no_grad()
def stream_nats(model: LanguageModel, ids: np.ndarray) -> np.ndarray:
    """float64 (T-1,): -ln p(ids[t] | ids[:t]) for t = 1 .. T-1, one carried state over the whole of ids (T,)."""
    training = model.training
    model.eval()
    device = next(model.parameters()).device
    nats, state = np.empty(max(len(ids) - 1, 0)), None
    for start in range(0, len(nats), _CHUNK):
        chunk = torch.from_numpy(ids[start : start + _CHUNK + 1].astype(np.int64)).to(device).unsqueeze(1)
        _, part, state = model.loss(chunk[:-1], chunk[1:], state)
        nats[start : start + len(chunk) - 1] = part.squeeze(1).double().cpu().numpy()
    model.train(training)
    return nats
