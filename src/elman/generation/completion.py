"""A text that a model writes: what is asked for (`Text`), what a step adds (`Piece`), and the whole (`Completion`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..model import Model
from .sampling import Sampling


@dataclass(frozen=True, eq=False)
class Likely:
    """The model's own distribution, before anything that shapes a draw, where ids were read or written.

    One rounding gives all of its numbers, so an id is the likeliest exactly if its number is the largest.
    """

    ids: np.ndarray
    """int64 (T,)."""
    logprobs: np.ndarray
    """float64 (T,): ln p of each of the ids."""
    ranks: np.ndarray
    """int64 (T,): 1 + how many ids are likelier."""
    top: np.ndarray
    """int64 (T, k): the likeliest ids, likeliest first; ties: lowest id first."""
    top_logprobs: np.ndarray
    """float64 (T, k)."""


def likely(model: Model, logits: np.ndarray, ids: np.ndarray, count: int) -> Likely:
    """Log-probabilities under `logits`, float32 (T, V), of the ids (T,) that followed and of the `count` likeliest."""
    logprobs = model.log_softmax(logits).astype(np.float64)
    rest, top = logprobs.copy(), np.empty((len(ids), min(count, logits.shape[1])), dtype=np.int64)
    for k in range(top.shape[1]) if top.shape[1] <= 32 else ():
        top[:, k] = rest.argmax(-1)
        np.put_along_axis(rest, top[:, k : k + 1], -np.inf, -1)
    if top.shape[1] > 32:
        top = np.argsort(-logprobs, axis=-1, kind="stable")[:, : top.shape[1]]
    own = logprobs[np.arange(len(ids)), ids]
    ranks = (logprobs > own[:, None]).sum(-1) + 1
    return Likely(ids, own, ranks, top, np.take_along_axis(logprobs, top, -1))


def joined(parts: Sequence[Likely]) -> Likely | None:
    """One after another; None for none."""
    if not parts:
        return None
    if len(parts) == 1:
        return parts[0]
    return Likely(*(np.concatenate([getattr(part, name) for part in parts]) for name in Likely.__dataclass_fields__))


@dataclass(frozen=True, eq=False)
class Completion:
    """A text that a model wrote."""

    text: str
    """Without the prompt and the string that ended it."""
    finish_reason: str
    """"stop": a stop string, or a record's end; "length": as long as was asked for; else what ended it."""
    ids: np.ndarray
    """int64 (T,): all that was drawn, the id that completed the stop string included."""
    stop: str | None = None
    """The string that ended it."""
    likely: Likely | None = None
    """Costs of `ids`, if asked for."""
    prompt_likely: Likely | None = field(default=None, repr=False)
    """Costs of the prompt's ids, if asked for."""


@dataclass(eq=False)
class Text:
    """A text to write.

    Args:
        prompt: int64 (T,), without the `Reading.start` that is read before it.
        length: most ids to write.
        number: the stream of its draws under the sampling's seed.
        stops: strings that end it; of a model of records also its line end.
        top: how many of the likeliest ids to report at each place; None: report nothing.
        prompt_top: the same for the prompt.
        whole: nothing of it is handed on before it has ended, which costs less.
    """

    prompt: np.ndarray
    length: int
    sampling: Sampling
    number: int = 0
    stops: Sequence[str] = ()
    top: int | None = None
    prompt_top: int | None = None
    whole: bool = False

    finish_reason: str | None = field(default=None, init=False)
    """None while it grows."""
    stop: str | None = field(default=None, init=False)
    prompt_likely: Likely | None = field(default=None, init=False)
    written: int = field(default=0, init=False)
    cut: str | None = field(default=None, init=False)
    """Set by anyone at any time: the text ends at the next step, for this reason."""

    @property
    def unseen(self) -> bool:
        """Whether nobody looks at it before its end, and only its length ends it."""
        return self.whole and not self.stops


@dataclass(frozen=True, eq=False)
class Piece:
    """The part of a text that a step added."""

    text: Text
    added: str
    """Whole characters; what may yet become a stop string is held back."""
    ids: np.ndarray
    """int64 (t,)."""
    likely: Likely | None
    last: bool
    """The text has ended with it."""


def assembled(text: Text, pieces: Sequence[Piece]) -> Completion:
    """The whole of a text that has ended."""
    if len(pieces) == 1:
        [only] = pieces
        reason = text.finish_reason or ""
        return Completion(only.added, reason, only.ids, text.stop, only.likely, text.prompt_likely)
    return Completion(
        "".join(piece.added for piece in pieces),
        text.finish_reason or "",
        np.concatenate([piece.ids for piece in pieces]) if pieces else np.zeros(0, dtype=np.int64),
        text.stop,
        joined([piece.likely for piece in pieces if piece.likely is not None]),
        text.prompt_likely,
    )
