"""Elman for torch, the extra `elman[torch]`: layers with autograd over the same kernel, and models that share memory.

`RNN`, `GRU` and `LSTM` take the place of torch.nn's. `Module(model)` is an `elman.LanguageModel` for a torch loop.
`from_torch` makes one of torch's layers. `fit(device=...)` reaches other devices through `device`.
"""

from __future__ import annotations

try:
    import torch  # noqa: F401
except ModuleNotFoundError:
    raise ModuleNotFoundError("elman.torch needs torch: pip install 'elman[torch]'", name="torch") from None

from . import kernels
from .layers import GRU, LSTM, RNN
from .module import Module, detach, from_torch

__all__ = ["GRU", "LSTM", "RNN", "Module", "detach", "from_torch", "kernels"]
