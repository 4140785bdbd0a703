"""One self-contained .safetensors file per model: weights, and a JSON header with all that is needed to use them.

No pickle. A digest over header and weights tells a damaged file from a whole one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .. import given
from ..errors import InputError, ModelFileError
from ..files import staged
from ..text import Reading
from ..typed import Fields
from .container import INTEGER, NGRAMS, read, to_bytes
from .language import Embedding, LanguageModel
from .layers import make_layer, parameter_shapes
from .mixed import NgramModel
from .ngrams import Ngrams
from .quantised import QuantisedModel

PAST = "past"
"""The tensor of a file of `elman train-coder` that is no weight."""
_NGRAMS = "ngrams."
"""How the names of the n-grams' tensors begin."""


def save(
    model: LanguageModel | QuantisedModel | NgramModel,
    path: str | Path,
    run: dict[str, Any] | None = None,
    weights: Mapping[str, np.ndarray] | None = None,
    *,
    replace: bool = True,
    mask: int = 0o666,
) -> None:
    """Write `model` beside `path` and rename it there, so no reader ever sees half of it.

    Args:
        run: a summary of the training, for `elman info`; any JSON.
        weights: others for the same model, under its parameters' names; None: its own.
        replace, mask: as for `files.staged`.
    Raises:
        InputError: weights that are not finite, which `load` would refuse.
    """
    kinds = (LanguageModel, QuantisedModel, NgramModel)
    given.instance("model", model, kinds, "a LanguageModel, a QuantisedModel or an NgramModel")
    given.path("path", path)
    given.instance("run", run, (dict, type(None)), "a summary as JSON can hold it, or None")
    if weights is not None:
        given.instance("weights", weights, Mapping, "names and arrays, or None")
    tensors = model.named_parameters() if weights is None else dict(weights)
    tensors = {name: given.array(name, array, "fiu", "real numbers") for name, array in tensors.items()}
    for name, array in tensors.items():
        if not np.isfinite(array).all():
            raise InputError(f"{name} is not all finite numbers: the training diverged; a file of it could not be used")
    with staged(path, replace=replace, mask=mask) as file:
        file.write(to_bytes(describe(model) | {"run": run or {}}, tensors))


def describe(model: LanguageModel | QuantisedModel | NgramModel) -> dict[str, Any]:
    """The header of a file of `model`: all but its weights that is needed to use it."""
    if isinstance(model, NgramModel):
        header, ngrams = describe(model.alone), {"longest": model.ngrams.longest, "kept": len(model.ngrams)}
        return header | {"ngrams": ngrams, "needs": [*header["needs"], NGRAMS]}
    needs = list(model.reading.vocabulary.needs)
    if isinstance(model, QuantisedModel):
        return model.header() | model.reading.to_dict() | {"needs": [INTEGER, *needs]}
    embedding = {} if model.embedding is None else {"embedding_size": model.embedding_size}
    return {
        "cell": model.layer.cell,
        "vocab_size": model.vocab_size,
        "hidden_size": model.layer.hidden_size,
        "num_layers": model.layer.num_layers,
        "dropout": model.layer.dropout,
        "bias": model.layer.bias,
        **embedding,
        **model.reading.to_dict(),
        "needs": [*(["embedding"] if embedding else []), *needs],
    }


def load(path: str | Path) -> LanguageModel | QuantisedModel | NgramModel:
    """The model of a file, of a run's folder or of a name such as english, ready to generate and score.

    Raises:
        ModelFileError: missing, truncated, damaged, not a model of Elman's, of a newer format, or one whose weights
            are not numbers.
    """
    return model_of(path, *read(path))


def model_of(
    path: str | Path, header: dict[str, Any], tensors: dict[str, np.ndarray]
) -> LanguageModel | QuantisedModel | NgramModel:
    """The model of what `read` gave of `path`. Raises ModelFileError as `load` does."""
    if "ngrams" in header:
        ours = {name.removeprefix(_NGRAMS): array for name, array in tensors.items() if name.startswith(_NGRAMS)}
        alone = _alone(path, header, {name: array for name, array in tensors.items() if not name.startswith(_NGRAMS)})
        try:
            longest = Fields(header, "its header").inner("ngrams").whole("longest")
            return NgramModel(alone, Ngrams.from_arrays(alone.vocab_size, longest, ours))
        except InputError as error:
            raise _unfit(path, error) from None
    return _alone(path, header, tensors)


def _alone(path: str | Path, header: dict[str, Any], tensors: dict[str, np.ndarray]) -> LanguageModel | QuantisedModel:
    if "coder" in header:  # what `elman train-coder` wrote
        tensors = {name: tensor for name, tensor in tensors.items() if name != PAST}
        if "cell" not in header:
            raise ModelFileError(f"{path}: a past without a network: it serves stores and messages alone")
    if "contract" not in header:
        return build(path, header, tensors)
    try:
        return QuantisedModel.from_file(header, tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise _unfit(path, error) from None


def build(path: str | Path, header: dict[str, Any], tensors: dict[str, np.ndarray]) -> LanguageModel:
    """The model of a header and its weights, which came from `path`. Raises ModelFileError as `load` does."""
    try:
        _check_sizes(header, tensors)
        if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
            raise ModelFileError(f"{path}: its weights are not all numbers: its training diverged; train it again")
        arrays = {name: np.array(tensor, dtype=np.float32, order="C") for name, tensor in tensors.items()}
        layer = make_layer(
            header["cell"],
            _input_size(header),
            header["hidden_size"],
            header["num_layers"],
            header["dropout"],
            bool(header["bias"]),
            arrays={name: arrays[f"layer.{name}"] for name in _layer_shapes(header)},
        )
        output = {name: arrays[f"output.{name}"] for name in ("weight", "bias")}
        embedding = None
        if size := header.get("embedding_size"):
            embedding = Embedding(header["vocab_size"], size, {"weight": arrays["embedding.weight"]})
        return LanguageModel(layer, Reading.from_dict(header), output, embedding)
    except ModelFileError:
        raise
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise _unfit(path, error) from None


def _unfit(path: str | Path, error: Exception) -> ModelFileError:
    reason = " ".join(str(error).split())
    return ModelFileError(f"{path}: the header and the weights do not make a model: {reason}")


def _layer_shapes(header: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Shapes of the recurrent layer's parameters, in their order, by a checked header."""
    H, L = header["hidden_size"], header["num_layers"]
    return parameter_shapes(header["cell"], _input_size(header), H, L, bool(header["bias"]))


def _input_size(header: dict[str, Any]) -> int:
    """Input size of the first layer."""
    return header.get("embedding_size") or header["vocab_size"]


def _check_sizes(header: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:
    """Raises InputError if the header names sizes that the weights do not have, before memory is asked for them."""
    V, H, L = (header[key] for key in ("vocab_size", "hidden_size", "num_layers"))
    E = header.get("embedding_size")
    for size in (V, H, L, *([] if E is None else [E])):
        if not isinstance(size, int) or isinstance(size, bool) or not 0 < size < 2**31:
            raise InputError(f"a size is {size!r}; expected a whole number above 0")
    per_layer = 4 if header["bias"] else 2
    others = 2 if E is None else 3
    if len(tensors) != per_layer * L + others:
        raise InputError(f"{len(tensors)} tensors; {L} layers have {per_layer * L + others}")
    dtype = tensors["output.weight"].dtype
    expected = {f"layer.{name}": shape for name, shape in _layer_shapes(header).items()}
    expected |= {"output.weight": (V, H), "output.bias": (V,)}
    if E is not None:
        expected["embedding.weight"] = (V, E)
    if dtype not in (np.float32, np.float64, np.float16):
        raise InputError(f"weights of {dtype}; expected real numbers")
    for name, shape in expected.items():
        if name not in tensors:
            raise InputError(f"{name} is missing")
        if tuple(tensors[name].shape) != shape or tensors[name].dtype != dtype:
            got = f"{tensors[name].dtype} {tuple(tensors[name].shape)}"
            raise InputError(f"{name} is {got}; expected {dtype} {shape}")
