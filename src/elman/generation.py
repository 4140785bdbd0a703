"""Text from a model: greedy, or sampled with temperature, the book's alpha, top-k and top-p; one loop."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from .model import LanguageModel
from .text import normalise


@dataclass(frozen=True)
class Sampling:
    """How the next character is chosen.

    Raises:
        ValueError: a value out of range; says which range.
    """

    temperature: float = 1.0
    """Divides the logits. 0 is greedy: always the likeliest character, the lowest id of equals."""
    alpha: float = 1.0
    """The book's exponent: p^alpha, renormalised; the same thing as a temperature of 1/alpha."""
    top_k: int | None = None
    """Keep only the k likeliest characters."""
    top_p: float | None = None
    """Keep the smallest set of likeliest characters that has at least this probability together."""
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.temperature >= 0 and math.isfinite(self.temperature)):
            raise ValueError(f"temperature must be 0 (greedy) or above, got {self.temperature}")
        if not (self.alpha > 0 and math.isfinite(self.alpha)):
            raise ValueError(f"alpha must be above 0, got {self.alpha}")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k must be at least 1, got {self.top_k}")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be in (0, 1], got {self.top_p}")

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """float64 (V,): what is drawn from, after alpha, temperature, top-k and top-p. -inf stays impossible."""
        likeliest = np.argsort(-logits, kind="stable")  # ties: lowest id first
        p = np.zeros(len(logits))
        if self.temperature == 0:
            p[likeliest[0]] = 1.0
            return p
        scaled = (logits.astype(np.float64) - logits.max()) * (self.alpha / self.temperature)
        p[likeliest] = np.exp(scaled)[likeliest]
        if self.top_k is not None:
            p[likeliest[self.top_k :]] = 0.0
        p /= p.sum()
        if self.top_p is not None:
            before = np.concatenate(([0.0], np.cumsum(p[likeliest])[:-1]))
            p[likeliest[before >= self.top_p]] = 0.0
            p /= p.sum()
        return p


def generate(
    model: LanguageModel,
    prompt: str = "",
    length: int = 100,
    *,
    temperature: float = 1.0,
    alpha: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int = 0,
) -> str:
    """Continue `prompt` by `length` characters.

    Args:
        prompt: normalised as the model's corpus was. What the vocabulary lacks is read as <unk>; `unknown_characters`
            lists it. Empty: the first character is drawn from all of them alike.
        length: characters (bytes, for a model of bytes) to write, at least 0.
        temperature, alpha, top_k, top_p, seed: see Sampling.
    Returns:
        the continuation, without the prompt. <unk> is never written.
    Raises:
        ValueError: a setting out of range, or a model without a vocabulary.
    """
    sampling = Sampling(temperature, alpha, top_k, top_p, seed)
    if length < 0:
        raise ValueError(f"length must be at least 0, got {length}")
    if model.vocabulary is None:
        raise ValueError("the model has no vocabulary; train it with fit, or set model.vocabulary")
    ids = model.vocabulary.encode(normalise(prompt, model.normalisation))
    return model.vocabulary.decode(generate_ids(model, ids, length, sampling))


@torch.no_grad()
def generate_ids(model: LanguageModel, ids: np.ndarray, length: int, sampling: Sampling) -> np.ndarray:
    """int64 (length,) to follow the prompt ids (T,). The one loop that all generation runs through."""
    training = model.training
    model.eval()
    device = next(model.parameters()).device
    forbidden = [0] if model.vocabulary is not None and model.vocabulary.kind == "chars" else []
    draws = np.random.Philox(key=np.array([sampling.seed, 2**33], dtype=np.uint64)).random_raw(length)
    made, state, logits = np.empty(length, dtype=np.int64), None, np.zeros(model.vocab_size)
    if len(ids):
        prompt = torch.from_numpy(ids.astype(np.int64)).to(device).unsqueeze(1)
        out, state = model(prompt, None)
        logits = out[-1, 0].cpu().numpy()
    for i in range(length):
        logits = logits.copy()
        logits[forbidden] = -np.inf
        cumulative = np.cumsum(sampling.probabilities(logits))
        u = (int(draws[i]) >> 11) * 2.0**-53
        made[i] = np.searchsorted(cumulative, u * cumulative[-1], side="right")
        out, state = model(torch.tensor([[made[i]]], device=device), state)
        logits = out[-1, 0].cpu().numpy()
    model.train(training)
    return made


def unknown_characters(model: LanguageModel, text: str) -> str:
    """The distinct characters of `text`, after normalisation, that the model's vocabulary lacks, in order."""
    if model.vocabulary is None or model.vocabulary.kind == "bytes":
        return ""
    known = set(model.vocabulary.symbols)
    return "".join(dict.fromkeys(c for c in normalise(text, model.normalisation) if c not in known))
