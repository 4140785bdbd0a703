"""Inputs for tests of the operations (elman.golden), and sizes of a layer."""

from __future__ import annotations

from elman.golden.inputs import Array, integers, layer_inputs, loss_inputs, numbers

__all__ = ["SHAPES", "Array", "integers", "layer_inputs", "loss_inputs", "numbers"]
SHAPES = [
    {"T": 7, "B": 5, "I": 13, "H": 37},
    {"T": 1, "B": 1, "I": 1, "H": 1},
    {"T": 0, "B": 3, "I": 4, "H": 5},
    {"T": 1, "B": 9, "I": 3, "H": 16},
    {"T": 5, "B": 1, "I": 33, "H": 31},
    {"T": 2, "B": 3, "I": 65, "H": 33},
    {"T": 35, "B": 18, "I": 7, "H": 24},
    {"T": 3, "B": 2, "I": 300, "H": 290},
    {"T": 3, "B": 0, "I": 4, "H": 5},
]
"""Sizes of a layer: around those of tiles and vectors, and none."""
