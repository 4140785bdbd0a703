"""Self-contained HTML pages: of scored texts, and of inspections."""

from __future__ import annotations

from .. import moved
from .document import Overlay, page
from .inspection import inspection_page
from .playground import playground_page
from .surprisal import comparison_page, lines_page, surprisal_page

__all__ = [
    "Overlay",
    "comparison_page",
    "inspection_page",
    "lines_page",
    "page",
    "playground_page",
    "surprisal_page",
]
__getattr__ = moved.names(__name__)
