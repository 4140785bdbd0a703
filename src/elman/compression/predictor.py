"""The network as a coder sees it: an id in each row, then the logits of the next. Files carry its digest."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..kernels import CELLS, _cpu  # pyright: ignore[reportAttributeAccessIssue]

if TYPE_CHECKING:
    from ..model import LanguageModel

CONTRACT = 1
"""Of the coder's arithmetic and of the network's (docs/arithmetic.md). Files carry it; another one is another code."""

NO_MODEL = bytes(16)
"""The digest where contexts work alone."""

Layer = tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]


class Predictor:
    """A network whose vocabulary covers bytes.

    Attributes:
        vocab_size: its ids; 256 for bytes.
        digest: 16 bytes that no other weights, cell or alphabet has.
        native: what `_cpu` codes with; immutable, so that threads may share it.
    """

    def __init__(self, native: Any, digest: bytes) -> None:
        self.native, self.digest, self.vocab_size = native, digest, int(native.ids)

    @classmethod
    def from_arrays(
        cls,
        cell: str,
        layers: Sequence[Layer],
        w_out: np.ndarray,
        b_out: np.ndarray | None = None,
        *,
        ids_of_bytes: Sequence[int] | None = None,
        unknown: int = 0,
        first: int | None = None,
    ) -> Predictor:
        """A float network, from its weights, of which it keeps a copy.

        Args:
            cell: rnn_relu, rnn_tanh, gru or lstm.
            layers: (w_ih (GH, I), w_hh (GH, H), b_ih (GH), b_hh (GH)) of each; both biases or neither.
            w_out: (V, H).
            b_out: (V), or None.
            ids_of_bytes: of each of the 256 bytes its id, or -1; None where byte b is id b.
            unknown: the id that is read for a byte without one.
            first: the id that is read before a text; the line end's if None.
        Raises:
            InputError: a vocabulary that cannot stand for bytes.
        """
        if cell not in CELLS:
            raise InputError(f"cell is {cell!r}; expected one of {', '.join(CELLS)}")
        w_out = _floats(w_out)
        V = len(w_out)
        if ids_of_bytes is None and not 256 <= V <= 1024:
            raise InputError(f"the model has {V} ids; to code bytes it needs one for each byte (train with --bytes)")
        ids = None if ids_of_bytes is None else np.ascontiguousarray(ids_of_bytes, np.int64)
        if ids is not None and (ids.shape != (256,) or ids.min() < -1 or ids.max() >= V):
            raise InputError(f"ids_of_bytes must be 256 ids below {V}, or -1")
        if first is None:
            first = 10 if ids is None else max(int(ids[10]), unknown)
        arrays: list[Any] = [tuple(None if w is None else _floats(w) for w in layer) for layer in layers]
        output = None if b_out is None else _floats(b_out)
        try:
            native = _cpu.float_predictor(
                cell=CELLS[cell].code,
                layers=arrays,
                w_out=w_out,
                b_out=output,
                ids_of_bytes=ids,
                unknown=unknown,
                first=first,
            )
        except ValueError as error:
            raise InputError(f"the weights do not fit each other: {error}") from None
        hashed = hashlib.sha256(
            struct.pack("<8sIIIII", b"float32", CONTRACT, CELLS[cell].code, len(arrays), unknown, first)
        )
        for array in (*(w for layer in arrays for w in layer), w_out, output, ids):
            shape = () if array is None else array.shape
            hashed.update(struct.pack(f"<I{len(shape)}I", len(shape), *shape))
            if array is not None:
                hashed.update(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
        return cls(native, hashed.digest()[:16])

    @classmethod
    def of(cls, model: LanguageModel) -> Predictor:
        """Of a language model over bytes, or over characters of which the bytes of ASCII are what they stand for.

        What a vocabulary of characters lacks is coded all the same, at 23 bits or so in the network's opinion.
        """
        network, vocabulary = model.network, model.reading.vocabulary
        ids = None
        if vocabulary.kind != "bytes":
            of_symbol = {symbol: id for id, symbol in enumerate(vocabulary.symbols) if len(symbol) == 1}
            ids = [of_symbol.get(chr(byte), -1) if byte < 128 else -1 for byte in range(256)]
        return cls.from_arrays(network.cell.name, network.layers, network.weight, network.bias, ids_of_bytes=ids)


def native_of(predictor: Predictor | None) -> Any:
    return None if predictor is None else predictor.native


def digest_of(predictor: Predictor | None) -> bytes:
    return NO_MODEL if predictor is None else predictor.digest


def explain_digest(what: str, needed: bytes, predictor: Predictor | None) -> str:
    """Why this model does not read what another one wrote."""
    if needed == NO_MODEL:
        return f"{what} was made without a model; leave out the model"
    name = needed.hex()[:8]
    if predictor is None:
        return f"{what} was made with the model {name}, which is missing; give it with -m"
    return f"{what} was made with the model {name}, and this is {predictor.digest.hex()[:8]}"


def _floats(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, np.float32)
