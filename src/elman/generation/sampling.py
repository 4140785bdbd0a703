"""Sampling: every setting of how the next character is chosen, checked once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from types import NoneType

import numpy as np

from ..errors import InputError
from ..text import Vocabulary

CHOICES = {"floats": 1, "integers": 2}
"""The ways to choose, and the number of each one's contract."""

_MOST = 1e30  # of a bias: with any logit and any penalty a finite number


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the next character is chosen. The steps apply in the order in which they stand here.

    Raises:
        InputError: a value out of range; says which range.
    """

    allowed: str | None = None
    """Write only these characters. None: all."""
    allowed_ids: Sequence[int] | None = None
    """Write only these ids. None: all."""
    logit_bias: Mapping[str, float] | Mapping[int, float] | None = None
    """Added to the logits of single characters, or of ids; -inf forbids one."""
    presence_penalty: float = 0.0
    """Taken from the logits of all that the text, without its prompt, has already."""
    frequency_penalty: float = 0.0
    """Taken from the logits of all that the text has already, as often as it has it."""
    repetition_penalty: float = 1.0
    """Above 1: characters that the prompt or the text has already become less likely. A logit above 0 is divided by it,
    one below multiplied. Source: Keskar et al., CTRL (2019)."""
    temperature: float = 1.0
    """Divides the logits. 0 is greedy: always the likeliest character; ties go to the lowest id."""
    alpha: float = 1.0
    """The book's exponent: p^alpha, renormalised; the same thing as a temperature of 1/alpha."""
    top_k: int | None = None
    """Keep only the k likeliest characters; ties go to the lowest ids."""
    top_p: float | None = None
    """Keep the smallest set of likeliest characters that has at least this share of their probability."""
    min_p: float | None = None
    """Keep the characters at least this many times as likely as the likeliest."""
    seed: int = 0
    choice: str = "floats"
    """How a draw becomes a character: "floats", by sums in double; or "integers", by int64 sums of integer weights, for
    programs without doubles. From one seed the two write almost the same text."""

    def __post_init__(self) -> None:
        self._check_types()
        if not (self.temperature >= 0 and math.isfinite(self.temperature)):
            raise InputError(f"temperature must be 0 (greedy) or above, got {self.temperature}")
        if not (self.alpha > 0 and math.isfinite(self.alpha)):
            raise InputError(f"alpha must be above 0, got {self.alpha}")
        if self.exponent > 1e38:
            raise InputError(
                f"`alpha` / `temperature` is {self.exponent:g}, too large to compute with; use temperature 0",
                setting=("alpha", "temperature"),
            )
        if self.top_k is not None and self.top_k < 1:
            raise InputError(f"top_k must be at least 1, got {self.top_k}")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise InputError(f"top_p must be in (0, 1], got {self.top_p}")
        if self.min_p is not None and not 0 <= self.min_p <= 1:
            raise InputError(f"min_p must be in [0, 1], got {self.min_p}")
        if not 0 <= self.seed < 2**64:
            raise InputError(f"seed must be in 0 .. 2^64-1, got {self.seed}")
        if not 1e-6 <= self.repetition_penalty <= 1e6:  # beyond, a product with a logit may be no number
            got = self.repetition_penalty
            raise InputError(f"repetition_penalty must be above 0, from 1e-6 to 1e6, got {got}")
        if self.choice not in CHOICES:
            raise InputError(f"choice must be one of {', '.join(CHOICES)}; got {self.choice!r}")
        if self.choice == "integers" and (self.top_p, self.min_p) != (None, None):
            raise InputError(
                "choice 'integers' takes no top_p and no min_p, which are shares of a sum of floats", setting="choice"
            )
        if self.allowed == "":
            raise InputError("allowed is empty; give at least a character, or leave it out for all", setting="allowed")
        for name in ("presence_penalty", "frequency_penalty"):
            if not abs(getattr(self, name)) <= 1e6:
                raise InputError(f"{name} must be in -1,000,000 .. 1,000,000, got {getattr(self, name)}")
        if self.allowed_ids is not None and not len(self.allowed_ids):
            raise InputError("allowed_ids is empty; give at least one id, or leave it out for all")
        for token, value in (self.logit_bias or {}).items():
            if (isinstance(token, str) and len(token) != 1) or math.isnan(value) or value == math.inf:
                raise InputError(f"logit_bias maps single characters to numbers below inf; got {token!r}: {value}")

    def _check_types(self) -> None:
        for name in (
            "temperature", "alpha", "top_p", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty",
        ):  # fmt: skip
            value = getattr(self, name)
            if not isinstance(value, (float, int, Real, NoneType if name in ("top_p", "min_p") else Real)):
                raise InputError(f"{name} must be a number, got {value!r}")
        for name in ("top_k", "seed"):
            if not isinstance(getattr(self, name), (int, NoneType if name == "top_k" else Integral, Integral)):
                raise InputError(f"{name} must be a whole number, got {getattr(self, name)!r}")
        if not isinstance(self.choice, str):
            raise InputError(f"choice must be one of {', '.join(CHOICES)}; got {self.choice!r}")
        if not isinstance(self.allowed, (str, NoneType)):
            raise InputError(f"allowed must be a str of characters, got {self.allowed!r}")
        if not isinstance(self.logit_bias, (Mapping, NoneType)) or not all(
            isinstance(key, (str, Integral)) and isinstance(value, Real)
            for key, value in (self.logit_bias or {}).items()
        ):
            raise InputError(f"logit_bias maps single characters to numbers below inf; got {self.logit_bias!r}")
        if not isinstance(self.allowed_ids, (Sequence, np.ndarray, NoneType)) or not all(
            isinstance(id, Integral) for id in (() if self.allowed_ids is None else self.allowed_ids)
        ):
            raise InputError(f"allowed_ids must be a list of ids, got {self.allowed_ids!r}")

    @property
    def exponent(self) -> float:
        """alpha / temperature, which multiplies the logits; -1 means greedy."""
        return -1.0 if self.temperature == 0 else self.alpha / self.temperature

    def bias(self, vocabulary: Vocabulary) -> np.ndarray | None:
        """float32 (V,) to add to the logits, or None for nothing: `logit_bias`, and -inf for what must not come, <unk>
        among it.

        Raises:
            InputError: a character that is no token of the vocabulary, as one that is not ASCII is none of bytes.
        """
        if self.allowed is None and self.allowed_ids is None and not self.logit_bias:
            return vocabulary.never
        bias = np.zeros(len(vocabulary), dtype=np.float32)
        bias[[*vocabulary.never_written]] = -np.inf
        if self.allowed is not None:
            forbidden = np.ones(len(vocabulary), dtype=bool)
            for character in self.allowed:
                _id(vocabulary, character, "allowed")
            forbidden[vocabulary.written_with(self.allowed)] = False
            bias[forbidden] = -np.inf
        if self.allowed_ids is not None:
            forbidden = np.ones(len(vocabulary), dtype=bool)
            forbidden[[_in(vocabulary, id, "allowed_ids") for id in self.allowed_ids]] = False
            bias[forbidden] = -np.inf
        for token, value in (self.logit_bias or {}).items():
            id = (_id if isinstance(token, str) else _in)(vocabulary, token, "logit_bias")  # type: ignore[arg-type]
            bias[id] += np.float32(value if value == -math.inf else max(-_MOST, min(_MOST, value)))
        if np.isneginf(bias).all():
            raise InputError("allowed and logit_bias together leave no character to write", setting="allowed")
        return bias if bias.any() else None

    @property
    def counts(self) -> bool:
        """Whether what a text has written bears on what comes next."""
        return self.presence_penalty != 0 or self.frequency_penalty != 0

    @property
    def numbers(self) -> tuple[float, ...]:
        """This text's row of the kernel's `each`."""
        top_p, min_p = (-1.0 if value is None else float(value) for value in (self.top_p, self.min_p))
        presence, frequency = float(self.presence_penalty), float(self.frequency_penalty)
        return self.exponent, float(self.repetition_penalty), float(self.top_k or 0), top_p, min_p, presence, frequency


def _id(vocabulary: Vocabulary, character: str, name: str) -> int:
    ids = vocabulary.encode(character)
    if len(ids) != 1 or vocabulary.unknown(ids):
        raise InputError(f"{name}: the model has no character {character!r}", setting=name)
    return int(ids[0])


def _in(vocabulary: Vocabulary, id: int, name: str) -> int:
    if not 0 <= id < len(vocabulary):
        raise InputError(f"{name}: the model has no id {id}; it has 0 .. {len(vocabulary) - 1}", setting=name)
    return int(id)
