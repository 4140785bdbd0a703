"""Self-contained HTML pages: of scored texts, and of inspections."""

from __future__ import annotations

from .inspection import inspection_page
from .page import Layer, page
from .surprisal import surprisal_page

__all__ = ["Layer", "inspection_page", "page", "surprisal_page"]
