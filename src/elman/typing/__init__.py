"""Typing: the distribution of the next symbol, for keyboards, Dasher and scanning boards; it learns from its writer."""

from __future__ import annotations

from .typist import Typist

__all__ = ["Typist"]
