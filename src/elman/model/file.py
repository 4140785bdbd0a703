"""One self-contained .safetensors file per model: weights, and a JSON header with all that is needed to use them.

No pickle. A digest over header and weights tells a damaged file from a whole one.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_safetensors

from ..text import NORMALISATIONS, Vocabulary
from .language import LanguageModel
from .layers import make_layer

FORMAT = 1
"""Version of the header. A reader refuses a higher one."""


class ModelFileError(ValueError):
    """The file is not a whole model that this version can read; one line says why."""


def save(model: LanguageModel, path: str | Path, run: dict[str, Any] | None = None) -> None:
    """Write `model` beside `path` and rename it there, so that no reader ever sees half of it.

    Args:
        run: a summary of the training, for `elman info`; any JSON.
    Raises:
        ValueError: the model has no vocabulary, so that no one could use it.
    """
    if model.vocabulary is None:
        raise ValueError("the model has no vocabulary; train it with fit, or set model.vocabulary")
    tensors = {name: p.detach().to("cpu").contiguous() for name, p in model.named_parameters()}
    header = {
        "cell": model.layer.cell,
        "vocab_size": model.vocab_size,
        "hidden_size": model.layer.hidden_size,
        "num_layers": model.layer.num_layers,
        "dropout": model.layer.dropout,
        "bias": model.layer.bias,
        "vocabulary": model.vocabulary.to_dict(),
        "normalisation": model.normalisation,
        "records": model.records,
        "run": run or {},
    }
    config = json.dumps(header, ensure_ascii=False, sort_keys=True)
    whole = json.dumps({"format": FORMAT, "digest": _digest(config, tensors), "config": config}, ensure_ascii=False)
    write_atomically(path, to_safetensors(tensors, metadata={"elman": whole}))


def load(path: str | Path) -> LanguageModel:
    """The model of a file, ready to generate and score.

    Returns:
        a LanguageModel in evaluation mode, with its vocabulary and normalisation, on the CPU.
    Raises:
        ModelFileError: missing, truncated, damaged, not a model of Elman's, or of a newer format.
    """
    header, tensors = _read(path)
    try:
        shape = (header[key] for key in ("vocab_size", "hidden_size", "num_layers", "dropout", "bias"))
        layer = make_layer(header["cell"], *shape)
        if header["normalisation"] not in NORMALISATIONS:
            raise ValueError(f"unknown normalisation {header['normalisation']!r}")
        vocabulary = Vocabulary.from_dict(header["vocabulary"])
        model = LanguageModel(
            layer, header["vocab_size"], vocabulary, header["normalisation"], header.get("records") is True
        )
        model.to(next(iter(tensors.values())).dtype).load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, RuntimeError, StopIteration) as error:
        reason = " ".join(str(error).split())
        raise ModelFileError(f"{path}: the header and the weights do not make a model: {reason}") from None
    return model.eval()


def read_header(path: str | Path) -> dict[str, Any]:
    """What `save` wrote beside the weights: configuration, vocabulary, and the summary of the run. Raises as `load`."""
    return _read(path)[0]


def _read(path: str | Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    try:
        with safe_open(str(path), "pt", "cpu") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
    except FileNotFoundError:
        raise ModelFileError(f"{path}: no such file; `elman train` makes one") from None
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise ModelFileError(f"{path}: truncated or not a .safetensors file ({reason})") from None
    if "elman" not in metadata:
        raise ModelFileError(f"{path}: a .safetensors file, but not a model saved by Elman")
    try:
        whole = json.loads(metadata["elman"])
        version, digest, config = whole["format"], whole["digest"], whole["config"]
    except (ValueError, KeyError, TypeError):
        raise ModelFileError(f"{path}: damaged: its header is not readable") from None
    if not isinstance(version, int) or version > FORMAT:
        raise ModelFileError(
            f"{path}: format {version!r}, but this version of Elman reads up to {FORMAT}; upgrade Elman"
        )
    if not isinstance(config, str) or digest != _digest(config, tensors):
        raise ModelFileError(f"{path}: damaged: its content does not have the digest that was stored with it")
    return json.loads(config), tensors


def _digest(config: str, tensors: dict[str, torch.Tensor]) -> str:
    digest = hashlib.sha256(config.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def write_atomically(path: str | Path, data: bytes) -> None:
    """Write beside `path`, then rename: what was there stays whole until the new file is."""
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder; expected the name of a file to write", str(path))
    try:
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(beside, 0o644)
        os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
