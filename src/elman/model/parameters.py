"""Parameters: named arrays under the names of torch, reached as attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import given
from ..errors import InputError
from ..kernels import CELLS, Array

PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def parameter_shapes(
    cell: str, input_size: int, hidden_size: int, num_layers: int, bias: bool
) -> dict[str, tuple[int, ...]]:
    """The parameters of a layer under torch's names, in torch's order."""
    rows, shapes = CELLS[cell].gates * hidden_size, {}
    for layer in range(num_layers):
        width = hidden_size if layer else input_size
        of_parts = ((rows, width), (rows, hidden_size), (rows,), (rows,))[: 4 if bias else 2]
        shapes |= {f"{part}_l{layer}": shape for part, shape in zip(PARTS, of_parts, strict=False)}
    return shapes


class Parameters:
    """Named float32 arrays, reached as attributes. Their memory never moves: to assign to one is to write into it.

    Threads may compute with them at once while nobody writes to them.
    """

    _arrays: dict[str, Array]

    def __getattr__(self, name: str) -> Any:
        arrays = self.__dict__.get("_arrays", {})
        if name not in arrays:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return arrays[name]

    def __setattr__(self, name: str, value: Any) -> None:
        arrays = self.__dict__.get("_arrays", {})
        if name in arrays:
            assign(arrays[name], value, name)
        else:
            super().__setattr__(name, value)

    def named_parameters(self) -> dict[str, Array]:
        """Name -> the array itself, in torch's order."""
        return dict(self._arrays)

    def parameters(self) -> list[Array]:
        return list(self.named_parameters().values())

    def state_dict(self) -> dict[str, Array]:
        """Name -> a copy."""
        return {name: array.copy() for name, array in self.named_parameters().items()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Copy values in, from arrays or tensors.

        Raises:
            InputError: a name too many or missing, or a shape that does not fit; nothing is changed then.
        """
        own = self.named_parameters()
        given.instance("state_dict", state_dict, Mapping, "names and their arrays, as state_dict() gives them")
        if set(own) != set(state_dict):
            more, less = sorted(set(state_dict) - set(own)), sorted(set(own) - set(state_dict))
            parts = [f"{word} {', '.join(names)}" for word, names in (("unknown", more), ("missing", less)) if names]
            raise InputError(f"these are not the parameters of this {type(self).__name__}: {'; '.join(parts)}")
        values = {name: to_array(value) for name, value in state_dict.items()}
        for name, value in values.items():
            if value.shape != own[name].shape:
                raise InputError(f"{name} is {value.shape}; expected {own[name].shape}")
        for name, value in values.items():
            assign(own[name], value, name)


def to_array(value: Any) -> Array:
    """An array of an array or of a torch tensor on any device."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().float().numpy()
    return given.array("the value of a parameter", value, "fiu", "real numbers")


def assign(array: Array, value: Any, name: str) -> None:
    """Copy `value` into a parameter. Raises InputError for a shape that is not its own."""
    value = to_array(value)
    if value.shape != array.shape:
        raise InputError(f"{name} is {value.shape}; expected {array.shape}")
    array[...] = value
