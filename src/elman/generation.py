"""Text from a model: greedy or sampled, one stream or many, whole or as it is made; one loop runs them all.

A draw is a function of (seed, stream, step) alone, and a choice of the logits and that draw alone, so a text does not
depend on what else is in the batch, on how it is cut into calls, or on whether the loop runs here or in the kernel.
Beam search, which keeps several strings and needs no draws, is in `beam`.
"""

from __future__ import annotations

import codecs
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import torch

from . import kernels
from .model import LanguageModel, ModelState
from .text import Vocabulary, normalise

_BURST = 0.01  # seconds, about: the longest time between two looks at the text, for a stop string or a reader


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the next character is chosen. The steps apply in the order in which they stand here.

    Raises:
        ValueError: a value out of range; says which range.
    """

    allowed: str | None = None
    """Write only these characters. None: all."""
    logit_bias: Mapping[str, float] | None = None
    """Added to the logits of single characters; -inf forbids one."""
    repetition_penalty: float = 1.0
    """Above 1: characters that the prompt or the text has already become less likely. A logit above 0 is divided by it,
    one below multiplied. Source: Keskar et al., CTRL (2019)."""
    temperature: float = 1.0
    """Divides the logits. 0 is greedy: always the likeliest character, the lowest id of equals."""
    alpha: float = 1.0
    """The book's exponent: p^alpha, renormalised; the same thing as a temperature of 1/alpha."""
    top_k: int | None = None
    """Keep only the k likeliest characters; of equals, those of lowest id."""
    top_p: float | None = None
    """Of those, keep the smallest set of likeliest characters that has at least this share of their probability."""
    min_p: float | None = None
    """Of those, keep the characters at least this many times as likely as the likeliest."""
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.temperature >= 0 and math.isfinite(self.temperature)):
            raise ValueError(f"temperature must be 0 (greedy) or above, got {self.temperature}")
        if not (self.alpha > 0 and math.isfinite(self.alpha)):
            raise ValueError(f"alpha must be above 0, got {self.alpha}")
        if self.exponent > 1e38:
            raise ValueError(f"alpha / temperature is {self.exponent:g}, too large to compute with; use temperature 0")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k must be at least 1, got {self.top_k}")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be in (0, 1], got {self.top_p}")
        if self.min_p is not None and not 0 <= self.min_p <= 1:
            raise ValueError(f"min_p must be in [0, 1], got {self.min_p}")
        if not 0 <= self.seed < 2**64:
            raise ValueError(f"seed must be in 0 .. 2^64-1, got {self.seed}")
        if not (self.repetition_penalty > 0 and math.isfinite(self.repetition_penalty)):
            raise ValueError(f"repetition_penalty must be above 0, got {self.repetition_penalty}")
        if self.allowed == "":
            raise ValueError("allowed is empty; give at least one character, or None for all")
        for character, value in (self.logit_bias or {}).items():
            if len(character) != 1 or math.isnan(value) or value == math.inf:
                raise ValueError(f"logit_bias maps single characters to numbers below inf; got {character!r}: {value}")

    @property
    def exponent(self) -> float:
        """alpha / temperature, which multiplies the logits; -1 stands for greedy."""
        return -1.0 if self.temperature == 0 else self.alpha / self.temperature

    def bias(self, vocabulary: Vocabulary | None, vocab_size: int) -> np.ndarray | None:
        """float32 (V,) to add to the logits, or None for nothing: `logit_bias`, and -inf for what must not come, <unk>
        among it.

        Raises:
            ValueError: a character that is not in the vocabulary, or that is not ASCII where the vocabulary is bytes.
        """
        bias = np.zeros(vocab_size, dtype=np.float32)
        if vocabulary is not None and vocabulary.kind == "chars":
            bias[0] = -np.inf
        if self.allowed is not None:
            forbidden = np.ones(vocab_size, dtype=bool)
            forbidden[[_id(vocabulary, c, "allowed") for c in self.allowed]] = False
            bias[forbidden] = -np.inf
        for character, value in (self.logit_bias or {}).items():
            bias[_id(vocabulary, character, "logit_bias")] += np.float32(value)
        if np.isneginf(bias).all():
            raise ValueError("allowed and logit_bias together leave no character to write")
        return bias if bias.any() else None


def _id(vocabulary: Vocabulary | None, character: str, name: str) -> int:
    ids = vocabulary.encode(character) if vocabulary is not None else []
    if len(ids) != 1 or vocabulary is None or vocabulary.unknown(np.asarray(ids)):
        raise ValueError(f"{name}: the model has no character {character!r}")
    return int(ids[0])


def _exp(x: np.ndarray) -> np.ndarray:
    """float32 exp of float32 x <= 0: the one function of the arithmetic below that IEEE 754 does not define."""
    return kernels.exp(torch.from_numpy(x)).numpy()


def weights(logits: np.ndarray, sampling: Sampling) -> np.ndarray:
    """float64 (V,): what is drawn from, not normalised, the likeliest 1; 0 is impossible.

    Every operation is rounded as it is written, and sums run in one order, so that the kernel can do the same.

    Args:
        logits: float32 (V,), bias and penalty applied; -inf stays impossible.
    """
    likeliest = np.argsort(-logits, kind="stable")  # ties: lowest id first
    if sampling.temperature == 0:
        w = np.zeros(len(logits))
        w[likeliest[0]] = 1.0
        return w
    with np.errstate(over="ignore", invalid="ignore"):  # a product may overflow to -inf, and -inf times 0 is masked
        scaled = (logits - logits[likeliest[0]]) * np.float32(sampling.exponent)
        w = _exp(scaled).astype(np.float64)
    w[np.isneginf(logits)] = 0.0
    if sampling.top_k is not None:
        w[likeliest[sampling.top_k :]] = 0.0
    if sampling.top_p is not None:
        cumulative = np.cumsum(w[likeliest])
        before = np.concatenate(([0.0], cumulative[:-1]))
        w[likeliest[before >= sampling.top_p * cumulative[-1]]] = 0.0
    if sampling.min_p is not None:
        w[w < sampling.min_p] = 0.0
    return w


def choose(logits: np.ndarray, sampling: Sampling, u: float) -> int:
    """The id that a draw u in [0, 1) falls on, the ids lying side by side in their order with widths `weights`."""
    cumulative = np.cumsum(weights(logits, sampling))
    if np.isnan(logits).any() or not cumulative[-1] > 0:
        raise ValueError("the model's logits are not numbers; its training has diverged")
    return int(np.searchsorted(cumulative, u * cumulative[-1], side="right"))


class Streams:
    """B texts that grow side by side, from one prompt each: where the loop over characters is.

    Args:
        prompts: int64 (T, B). T may be 0: the first character is then drawn from all alike.
        sampling: its seed and a stream's number give the stream's draws.
        first: number of the first stream, so that a batch can be a part of a larger one.
    """

    def __init__(self, model: LanguageModel, prompts: np.ndarray, sampling: Sampling, first: int = 0) -> None:
        self.model, self.sampling = model, sampling
        self._bias = sampling.bias(model.vocabulary, model.vocab_size)
        batch = prompts.shape[1]
        self._words = [
            np.random.Philox(key=np.array([sampling.seed, 2**33 + first + b], dtype=np.uint64)) for b in range(batch)
        ]
        self._device = next(model.parameters()).device
        self._state: ModelState | None = None
        self._logits = np.zeros((batch, model.vocab_size), dtype=np.float32)
        output = (model.output.weight, model.output.bias)
        self._native = kernels.decoder(model.layer.cell, batch, model.layer.weights(), output)
        if self._native is not None:
            self._logits = self._native.logits.numpy()  # shared: always those after the last token read
        self._seen = np.zeros((batch, model.vocab_size), dtype=bool)
        if len(prompts):
            self._seen[np.arange(batch), prompts] = True
            self._read(prompts)

    @torch.no_grad()
    def _read(self, ids: np.ndarray) -> None:
        """Let the model read ids (T, B)."""
        if self._native is not None:
            self._native.read(torch.from_numpy(ids.astype(np.int64)))
            return
        training = self.model.training
        self.model.eval()
        logits, self._state = self.model(torch.from_numpy(ids.astype(np.int64)).to(self._device), self._state)
        self._logits = logits[-1].float().cpu().numpy()
        self.model.train(training)

    def advance(self, steps: int) -> np.ndarray:
        """The next int64 (steps, B) ids. Many short calls give what one long one does."""
        s = self.sampling
        if self._native is not None:
            draws = None
            if s.temperature != 0:
                draws = np.stack([words.random_raw(steps) for words in self._words], axis=1)
                draws = torch.from_numpy((draws >> np.uint64(11)).astype(np.float64) * 2.0**-53)
            bias = None if self._bias is None else torch.from_numpy(self._bias)
            return self._native.generate(
                steps,
                bias,
                s.exponent,
                draws,
                top_k=s.top_k,
                top_p=s.top_p,
                min_p=s.min_p,
                penalty=s.repetition_penalty,
                seen=torch.from_numpy(self._seen),
            ).numpy()
        made = np.empty((steps, len(self._words)), dtype=np.int64)
        for t in range(steps):
            for b, words in enumerate(self._words):
                u = (int(words.random_raw()) >> 11) * 2.0**-53
                made[t, b] = choose(self._shape(b), self.sampling, u)
            self._seen[np.arange(len(self._words)), made[t]] = True
            self._read(made[t : t + 1])
        return made

    def _shape(self, b: int) -> np.ndarray:
        """float32 (V,): the logits of stream b after bias and penalty."""
        logits = self._logits[b] if self._bias is None else self._logits[b] + self._bias
        penalty = np.float32(self.sampling.repetition_penalty)
        if penalty == 1:
            return logits
        return np.where(self._seen[b], np.where(logits > 0, logits / penalty, logits * penalty), logits)


def generate_ids(
    model: LanguageModel, ids: np.ndarray, length: int, sampling: Sampling, num_samples: int = 1
) -> np.ndarray:
    """int64 (length, num_samples) to follow the prompt ids (T,), stream b drawing from (sampling.seed, b)."""
    prompts = np.repeat(ids.astype(np.int64)[:, None], num_samples, axis=1)
    return Streams(model, prompts, sampling).advance(length)


@overload
def generate(model: LanguageModel, prompt: str = "", length: int = 100, **settings: Any) -> str: ...
@overload
def generate(
    model: LanguageModel,
    prompt: str = "",
    length: int = 100,
    *,
    num_samples: int,
    stop: str | Sequence[str] = (),
    **settings: Any,
) -> list[str]: ...
def generate(
    model: LanguageModel,
    prompt: str = "",
    length: int = 100,
    *,
    num_samples: int | None = None,
    stop: str | Sequence[str] = (),
    **settings: Any,
) -> str | list[str]:
    """Continue `prompt` by at most `length` characters.

    Args:
        prompt: normalised as the model's corpus was. What the vocabulary lacks is read as <unk>; `unknown_characters`
            lists it. Empty: the first character is drawn from all of them alike, unless the model is one of records,
            which then begins a record.
        length: most characters (bytes, for a model of bytes) to write, at least 0.
        num_samples: write so many continuations in one batch; sample i draws from (seed, i), whatever the number.
        stop: end before the first of these strings; one that never comes changes nothing. A model of records stops at
            the end of the record.
        settings: temperature, alpha, top_k, top_p, min_p, seed, allowed, logit_bias, repetition_penalty; see Sampling.
    Returns:
        the continuation, without the prompt and the stop string; a list of them if `num_samples` is given. <unk> is
        never written.
    Raises:
        ValueError: a setting out of range, or a model without a vocabulary.
    """
    texts = [""] * (1 if num_samples is None else num_samples)
    for index, piece in _stream(model, prompt, length, len(texts), stop, settings):
        texts[index] += piece
    return texts[0] if num_samples is None else texts


@overload
def stream(
    model: LanguageModel, prompt: str = "", length: int = 100, *, stop: str | Sequence[str] = (), **settings: Any
) -> Iterator[str]: ...
@overload
def stream(
    model: LanguageModel,
    prompt: str = "",
    length: int = 100,
    *,
    num_samples: int,
    stop: str | Sequence[str] = (),
    **settings: Any,
) -> Iterator[tuple[int, str]]: ...
def stream(
    model: LanguageModel,
    prompt: str = "",
    length: int = 100,
    *,
    num_samples: int | None = None,
    stop: str | Sequence[str] = (),
    **settings: Any,
) -> Iterator[str] | Iterator[tuple[int, str]]:
    """What `generate` returns, piece by piece as it is made: never half a character, never a part of a stop string.

    Yields:
        pieces of the continuation; (sample, piece) if `num_samples` is given.
    Raises:
        ValueError: as `generate`, before the first piece is asked for.
    """
    if num_samples is not None:
        return _stream(model, prompt, length, num_samples, stop, settings)
    return (piece for _, piece in _stream(model, prompt, length, 1, stop, settings))


def _stream(
    model: LanguageModel, prompt: str, length: int, count: int, stop: str | Sequence[str], settings: dict[str, Any]
) -> Iterator[tuple[int, str]]:
    sampling, ids = Sampling(**settings), prompt_ids(model, prompt)
    if length < 0:
        raise ValueError(f"length must be at least 0, got {length}")
    if count < 1:
        raise ValueError(f"num_samples must be at least 1, got {count}")
    stops = (stop,) if isinstance(stop, str) else tuple(stop)
    if "" in stops:
        raise ValueError("a stop string is empty; leave it out")
    if model.records:
        stops = (*stops, "\n")
    streams = Streams(model, np.repeat(ids[:, None], count, axis=1), sampling)
    return _pieces(model, streams, length, stops, count)


def prompt_ids(model: LanguageModel, prompt: str) -> np.ndarray:
    """int64 (T,): the prompt as the model reads it; a model of records reads the end of the record before it first."""
    if model.vocabulary is None:
        raise ValueError("the model has no vocabulary; train it with fit, or set model.vocabulary")
    start = "\n" if model.records else ""
    return model.vocabulary.encode(start + normalise(prompt, model.normalisation)).astype(np.int64)


def _pieces(
    model: LanguageModel, streams: Streams, length: int, stops: Sequence[str], count: int
) -> Iterator[tuple[int, str]]:
    assert model.vocabulary is not None
    writers = [_Writer(model.vocabulary, stops) for _ in range(count)]
    burst, done = 1, 0
    while done < length and not all(w.ended for w in writers):
        steps, start = min(burst, length - done), time.perf_counter()
        made = streams.advance(steps)
        done += steps
        if time.perf_counter() - start < _BURST / 2:
            burst *= 2
        for index, writer in enumerate(writers):
            if piece := writer.write(made[:, index]):
                yield index, piece
    for index, writer in enumerate(writers):
        if piece := writer.close():
            yield index, piece


class _Writer:
    """ids in, text out: whole characters only, cut at the first stop string, holding back what may become one."""

    def __init__(self, vocabulary: Vocabulary, stops: Sequence[str]) -> None:
        self._vocabulary, self._stops, self._held, self.ended = vocabulary, stops, "", False
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    def write(self, ids: np.ndarray) -> str:
        if self.ended:
            return ""
        if self._vocabulary.kind == "bytes":
            self._held += self._utf8.decode(self._vocabulary.decode_bytes(ids))
        else:
            self._held += self._vocabulary.decode(ids)
        found = [at for at in map(self._held.find, self._stops) if at >= 0]
        if found:
            self.ended = True
            piece, self._held = self._held[: min(found)], ""
            return piece
        hold = max((_overlap(self._held, s) for s in self._stops), default=0)
        cut = len(self._held) - hold
        piece, self._held = self._held[:cut], self._held[cut:]
        return piece

    def close(self) -> str:
        """What was held back; half a character at the end becomes U+FFFD."""
        return "" if self.ended else self._held + self._utf8.decode(b"", final=True)


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that `stop` could go on from."""
    return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0)


def unknown_characters(model: LanguageModel, text: str) -> str:
    """The distinct characters of `text`, after normalisation, that the model's vocabulary lacks, in order."""
    if model.vocabulary is None or model.vocabulary.kind == "bytes":
        return ""
    known = set(model.vocabulary.symbols)
    return "".join(dict.fromkeys(c for c in normalise(text, model.normalisation) if c not in known))
