"""One self-contained .safetensors file per model: weights, and a JSON header with all that is needed to use them.

No pickle. A digest over header and weights tells a damaged file from a whole one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as from_safetensors
from safetensors.numpy import save as to_safetensors

from .. import given
from ..errors import InputError, ModelFileError
from ..files import staged, write_atomically
from ..kernels.integer import CONTRACT
from ..sources import compressed
from ..text import Reading
from ..typed import shown
from .language import Embedding, LanguageModel
from .layers import make_layer, parameter_shapes
from .named import named_models
from .quantised import QuantisedModel

FORMAT = 1
"""Version of the header. A reader refuses a higher one."""
MODEL, CHECKPOINT = "elman", "elman-checkpoint"
"""The kinds of file: the key of its metadata under which the header is."""
BEST, LAST = "best.safetensors", "model.safetensors"
"""The models in a run's folder: the one of the lowest held-out loss, and the last."""
INTEGER = f"integer {CONTRACT}"
"""A quantised model's entry in `needs`: a version that computes by its contract."""
KNOWN = frozenset({"bpe", "embedding", INTEGER})
"""Entries of a file's `needs` that this version serves. A reader refuses the rest."""
PAST = "past"
"""The tensor of a file of `elman train-coder` that is no weight."""


def save(
    model: LanguageModel | QuantisedModel,
    path: str | Path,
    run: dict[str, Any] | None = None,
    weights: Mapping[str, np.ndarray] | None = None,
    *,
    replace: bool = True,
    mask: int = 0o666,
) -> None:
    """Write `model` beside `path` and rename it there, so that no reader ever sees half of it.

    Args:
        run: a summary of the training, for `elman info`; any JSON.
        weights: others for the same model, under its parameters' names; None: its own.
        replace, mask: as for `files.staged`.
    Raises:
        InputError: weights that are not finite, which `load` would refuse.
    """
    given.instance("model", model, (LanguageModel, QuantisedModel), "a LanguageModel or a QuantisedModel")
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


def describe(model: LanguageModel | QuantisedModel) -> dict[str, Any]:
    """The header of a file of `model`: all but its weights that is needed to use it."""
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


def write_tensors(path: str | Path, header: dict[str, Any], tensors: dict[str, np.ndarray], kind: str = MODEL) -> None:
    """A file of this kind: tensors, a header of any JSON, and a digest over both."""
    write_atomically(path, to_bytes(header, tensors, kind))


def to_bytes(header: dict[str, Any], tensors: dict[str, np.ndarray], kind: str = MODEL) -> bytes:
    """The bytes of the file that `write_tensors` writes."""
    config = _json(header)
    whole = _json({"format": FORMAT, "digest": _digest(config, tensors), "config": config})
    return to_safetensors(tensors, metadata={kind: whole})


def load(path: str | Path) -> LanguageModel | QuantisedModel:
    """The model of a file, of a run's folder or of a name such as english, ready to generate and score.

    Raises:
        ModelFileError: missing, truncated, damaged, not a model of Elman's, of a newer format, or one whose weights
            are not numbers.
    """
    return model_of(path, *read(path))


def model_of(
    path: str | Path, header: dict[str, Any], tensors: dict[str, np.ndarray]
) -> LanguageModel | QuantisedModel:
    """The model of what `read` gave of `path`. Raises as `load`."""
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
    """The model of a header and its weights, which came from `path`. Raises as `load`."""
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


def model_path(path: str | Path) -> Path:
    """The model file at `path`, which may be the name of a model that comes with the package, or a run's folder:
    its best model on held-out text if it has one, else its last."""
    if named := named_models().get(str(path)):
        return named
    path = Path(path)
    if not path.is_dir():
        return path
    best = path / BEST
    return best if best.exists() else path / LAST


def read_header(path: str | Path) -> dict[str, Any]:
    """Read the metadata that `save` wrote: configuration, vocabulary, and the summary of the run. Raises as `load`."""
    return read(path)[0]


def read(path: str | Path, kind: str = MODEL) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The header and tensors of a file of this kind. Raises as `load`.

    It is read into memory before any of it is checked: it may be written over meanwhile.
    """
    given.path("path", path)
    try:
        path = model_path(path)
        data = path.read_bytes()
    except FileNotFoundError:
        known = "".join(f", and {name} is one that comes with Elman" for name in named_models())
        raise ModelFileError(f"{path}: no such file; `elman train` makes one{known}") from None
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{path}: not a .safetensors file ({getattr(error, 'strerror', None) or error})") from None
    if ours := compressed(data):
        raise ModelFileError(f"{path}: not a model: {ours}")
    try:
        tensors = from_safetensors(data)
        size = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + size]).get("__metadata__") or {}
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError, AttributeError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise ModelFileError(f"{path}: truncated or not a .safetensors file ({reason})") from None
    if kind not in metadata:
        what = "model" if kind == MODEL else "checkpoint"
        raise ModelFileError(f"{path}: a .safetensors file, but not a {what} saved by Elman")
    try:
        whole = json.loads(metadata[kind])
        version, digest, config = whole["format"], whole["digest"], whole["config"]
        header = json.loads(config) if version == FORMAT else {}
        unknown = [need for need in header.get("needs", []) if need not in KNOWN]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ModelFileError(f"{path}: damaged: its header is not readable") from None
    if not isinstance(version, int) or version > FORMAT:
        raise ModelFileError(
            f"{path}: format {version!r}, but this version of Elman reads up to {FORMAT}; upgrade Elman"
        )
    try:
        whole_file = digest == _digest(config, tensors)
    except (ValueError, RuntimeError, TypeError, AttributeError):  # what `save` never wrote
        whole_file = False
    if not whole_file:
        raise ModelFileError(f"{path}: damaged: its content does not have the digest that was stored with it")
    if header.get("run") is None:
        header["run"] = {}
    if not isinstance(header["run"], dict):
        raise ModelFileError(f"{path}: its field run is {shown(header['run'])}; expected an object")
    if unknown:
        raise ModelFileError(
            f"{path}: it needs {', '.join(map(repr, unknown))}, which this version lacks; upgrade Elman"
        )
    return header, tensors


def _json(value: Any) -> str:
    """Text that UTF-8 can hold: half a surrogate pair, which a file's name may have, in JSON's own escape."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True).encode("utf-8", "backslashreplace").decode()


def _digest(config: str, tensors: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256(config.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} torch.{tensor.dtype} {tuple(tensor.shape)}\n".encode())  # as the first files had it
        digest.update(tensor.tobytes())
    return digest.hexdigest()
