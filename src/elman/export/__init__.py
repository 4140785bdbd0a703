"""Models out of Python: C for microcontrollers, ONNX, a page, a package for JavaScript; and a page that trains."""

from .c import arduino_library, to_c
from .html import to_html
from .js import to_js
from .lab import to_lab
from .onnx import to_onnx
from .plain import to_plain

__all__ = ["arduino_library", "to_c", "to_html", "to_js", "to_lab", "to_onnx", "to_plain"]
