"""The container of models and checkpoints: safetensors, a JSON header of any kind, and a digest over both."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from .. import given
from ..errors import ModelFileError
from ..files import write_atomically
from ..kernels.integer import CONTRACT
from ..sources import compressed
from ..typed import shown
from . import tensors as safetensors
from .named import named_models

FORMAT = 1
"""Version of the header. A reader refuses a higher one."""
MODEL, CHECKPOINT = "elman", "elman-checkpoint"
"""The kinds of file: the key of its metadata under which the header is."""
BEST, LAST = "best.safetensors", "model.safetensors"
"""The models in a run's folder: the one of the lowest held-out loss, and the last."""
INTEGER = f"integer {CONTRACT}"
"""A quantised model's entry in `needs`: a version that computes by its contract."""
NGRAMS = "ngrams 1"
"""A model's entry in `needs` where n-grams are mixed in, by the first way to do so."""
KNOWN = frozenset({"bpe", "embedding", "split", INTEGER, NGRAMS})
"""Entries of a file's `needs` that this version serves. A reader refuses the rest."""


def write_tensors(path: str | Path, header: dict[str, Any], tensors: dict[str, np.ndarray], kind: str = MODEL) -> None:
    """A file of this kind: tensors, a header of any JSON, and a digest over both."""
    write_atomically(path, to_bytes(header, tensors, kind))


def to_bytes(header: dict[str, Any], tensors: dict[str, np.ndarray], kind: str = MODEL) -> bytes:
    """The bytes of the file that `write_tensors` writes."""
    config = _json(header)
    whole = _json({"format": FORMAT, "digest": _digest(config, tensors), "config": config})
    return safetensors.to_bytes(tensors, {kind: whole})


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
    """The metadata that `save` wrote: configuration, vocabulary, the run's summary. Raises ModelFileError as `load`."""
    return read(path)[0]


def read(path: str | Path, kind: str = MODEL) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The header and tensors of a file of this kind. Raises ModelFileError as `load` does.

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
        tensors, metadata = safetensors.from_bytes(data)
    except ValueError as error:
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
