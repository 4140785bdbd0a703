"""Exact compression: messages (`Codec`), files (`compress`, `decompress`, `Archive`), lines read alone (`Store`).

A `Predictor` is the network that serves all three, or none: contexts learn beside it, and a mixer weighs them. The
coder is native and computes in integers, so every machine that has the native kernel reads what another one wrote. The
formats, to the byte: docs/reference/formats.md.
"""

from __future__ import annotations

from .. import moved
from .archive import compress, decompress
from .codec import Codec
from .parts import Archive
from .predictor import Predictor
from .store import Store, write_store
from .trained import load_predictor

__all__ = ["Archive", "Codec", "Predictor", "Store", "compress", "decompress", "load_predictor", "write_store"]
__getattr__ = moved.names(__name__)
