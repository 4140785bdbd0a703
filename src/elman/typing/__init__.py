"""Typing: the distribution of the next symbol, for keyboards, Dasher and scanning boards; it learns from its writer."""

from __future__ import annotations

from .primed import Primed
from .primer import prime
from .typist import Typist

__all__ = ["Primed", "Typist", "prime"]
