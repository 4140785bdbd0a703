"""Limits of one server: for one request, and for all of them together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Beyond a limit of one request the answer is 400 or 413, beyond one of all requests 429."""

    body: int = 8 << 20
    """Bytes of a request's body, unpacked."""
    prompt: int = 1_000_000
    """Symbols of all prompts of a request."""
    max_tokens: int = 4096
    """Symbols that a request may ask for, for each of its texts."""
    texts: int = 128
    """Texts that one request writes: its prompts times `best_of`."""
    numbers: int = 2_000_000
    """Log-probabilities in one answer."""
    stops: int = 4096
    """Characters of all stop strings of a request."""
    rows: int = 64
    """Texts that grow at once."""
    queue: int = 256
    """Requests that wait for a row; and as many that wait for a thread, to be scored or compressed."""
    seconds: float = 600.0
    """Time of a request, from its beginning; what is written by then is the answer."""
    body_seconds: float = 60.0
    """Time in which a request's body must arrive."""
    prefixes: int = 64 << 20
    """Bytes of states that are kept after prompts, for each model."""
    alive_seconds: float = 15.0
    """Silence in a stream after which a comment says that the server is still there."""
