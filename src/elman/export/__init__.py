"""Models out of Python: C for microcontrollers, ONNX, a page, a package for JavaScript."""

from .c import arduino_library, to_c
from .onnx import to_onnx

__all__ = ["arduino_library", "to_c", "to_onnx"]
