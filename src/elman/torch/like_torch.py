"""Interface that programs expect of torch.nn's layers: parameters under torch's names, and torch's habits."""

from __future__ import annotations

from typing import Any

from torch import nn

from ..kernels import CELLS
from . import kernels

PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def places(num_layers: int, bidirectional: bool) -> list[str]:
    """The ends of parameters' names, in the order in which layers and directions run."""
    ends = ("", "_reverse") if bidirectional else ("",)
    return [f"l{layer}{end}" for layer in range(num_layers) for end in ends]


def parameter_shapes(
    cell: str, input_size: int, hidden_size: int, num_layers: int, bias: bool, bidirectional: bool = False
) -> dict[str, tuple[int, ...]]:
    """The parameters of a layer under torch's names, in torch's order."""
    rows, shapes = CELLS[cell].gates * hidden_size, {}
    for place in places(num_layers, bidirectional):
        width = input_size if place in ("l0", "l0_reverse") else hidden_size * (2 if bidirectional else 1)
        of_parts = ((rows, width), (rows, hidden_size), (rows,), (rows,))[: 4 if bias else 2]
        shapes |= {f"{part}_{place}": shape for part, shape in zip(PARTS, of_parts, strict=False)}
    return shapes


class LikeTorch(nn.RNNBase):
    """An `nn.RNNBase` for programs that ask; of what that keeps for cuDNN, a list of the weights in one block, there is
    nothing here."""

    cell: str

    def weights(self) -> list[kernels.LayerWeights]:
        """(w_ih, w_hh, b_ih, b_hh) of every layer and direction, in the order in which they run."""
        return [
            tuple(getattr(self, f"{part}_{place}", None) for part in PARTS)  # type: ignore[misc]
            for place in places(self.num_layers, self.bidirectional)
        ]

    @property
    def mode(self) -> str:
        """torch's name of the cell."""
        return self.cell.upper()

    @property
    def all_weights(self) -> list[list[nn.Parameter]]:
        """Parameters of every layer and direction, as in torch."""
        return [[w for w in weights if w is not None] for weights in self.weights()]  # type: ignore[misc]

    @property
    def _flat_weights(self) -> list[nn.Parameter]:
        return [w for weights in self.all_weights for w in weights]

    def _init_flat_weights(self) -> None:
        pass

    def __setattr__(self, name: str, value: Any) -> None:
        nn.Module.__setattr__(self, name, value)

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        return nn.Module._apply(self, fn, recurse)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__.copy()

    def __setstate__(self, state: dict[str, Any]) -> None:
        nn.Module.__setstate__(self, state)

    def _replicate_for_data_parallel(self) -> Any:
        return nn.Module._replicate_for_data_parallel(self)

    def flatten_parameters(self) -> None:
        """Do nothing, for compatibility with torch.nn: the backends lay out the weights themselves."""
