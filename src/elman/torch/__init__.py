"""Elman for torch, the extra `elman[torch]`: layers with autograd over the same kernel, and models that share memory.

`RNN`, `GRU` and `LSTM` take the place of torch.nn's. `Module(model)` is an `elman.LanguageModel` for a torch loop.
`from_torch` makes one of torch's layers. `fit(device=...)` reaches other devices through `device`.
"""

from __future__ import annotations

try:
    from torch import Tensor  # noqa: F401 - any folder named torch would do for `import torch`
except ImportError as error:
    raise ModuleNotFoundError(f"elman.torch needs torch: pip install 'elman[torch]' ({error})", name="torch") from error

from . import kernels
from .layers import GRU, LSTM, RNN
from .module import Module, detach, from_torch

__all__ = ["GRU", "LSTM", "RNN", "Module", "detach", "from_torch", "kernels"]
