# The native module (cpu/bindings.cpp); its only caller is cpu.py, which checks what it passes.
from typing import Any

def __getattr__(name: str) -> Any: ...
