"""The network as a coder sees it: an id in each row, then the logits of the next. Files carry its digest."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import given
from ..errors import CompressedError, InputError
from ..kernels import CELLS, LayerWeights, _cpu, integer  # pyright: ignore[reportAttributeAccessIssue]
from .weights import MARGINAL, Names, Source, floats, tokens_of

if TYPE_CHECKING:
    from ..model import Model
    from ..model.integer import IntegerNetwork

CONTRACT = 1
"""The number of the coder's and network's arithmetic (docs/reference/formats.md). Another number is another code."""

NO_MODEL = bytes(16)
"""The digest where contexts work alone."""


class Predictor:
    """A network whose vocabulary covers bytes, and a past that teaches what codes messages beside it; or one of both.

    Attributes:
        vocab_size: its ids; 256 for bytes.
        digest: 16 bytes that no other weights, cell, alphabet or past has.
        native: what `_cpu` codes with, immutable, so threads may share it; None: a past alone.
        past: messages, each with its `end`; what codes files has no use for them.
        end: the byte after a message.
        marginal: the network's ids are tokens of several bytes, over which a byte's probability is summed.

    It never changes, so threads may share it. Pickling carries the weights; it raises InputError if they were changed.
    """

    def __init__(
        self, native: Any, digest: bytes, past: bytes = b"", end: int = 10, source: Source | None = None
    ) -> None:
        self.native, self.digest, self.past, self.end = native, digest, past, end
        self._source = source
        self.vocab_size = 256 if native is None else int(native.ids)
        self.marginal = source is not None and source.marginal

    def with_past(self, past: bytes, end: int = 10) -> Predictor:
        """A predictor of this network with another past."""
        hashed = hashlib.sha256(struct.pack("<8sIBI", b"past", CONTRACT, end, len(past)))
        hashed.update(self.digest + past)
        return Predictor(self.native, hashed.digest()[:16], past, end, self._source)

    def __reduce__(self) -> tuple[Any, ...]:
        source = self._source
        if source is not None and source.digest_now() != source.digest:
            raise InputError(
                "the weights were changed since this predictor was made of them; make another one to pickle"
            )
        made = None if source is None else (source.make, source.arguments, source.options)
        return _again, (made, self.digest, self.past, self.end)

    @classmethod
    def from_arrays(
        cls,
        cell: str,
        layers: Sequence[LayerWeights],
        w_out: np.ndarray,
        b_out: np.ndarray | None = None,
        *,
        embedding: np.ndarray | None = None,
        ids_of_bytes: Sequence[int] | None = None,
        unknown: int = 0,
        first: int | None = None,
        tokens: Sequence[bytes] | None = None,
    ) -> Predictor:
        """A float network, from its weights, of which it keeps a copy.

        Args:
            cell: rnn_relu, rnn_tanh, gru or lstm.
            layers: (w_ih (GH, I), w_hh (GH, H), b_ih (GH), b_hh (GH)) of each; both biases or neither.
            w_out: (V, H).
            b_out: (V), or None.
            embedding: (V, E), or None: ids select columns of the first w_ih.
            ids_of_bytes: of each of the 256 bytes its id, or -1; None where byte b is id b.
            unknown: the id that is read for a byte without one.
            first: the id that is read before a text; the line end's if None.
            tokens: the bytes of each id, where ids are not bytes: each single byte among them, no two alike, and
                none (b"") for an id that no text has. Then `ids_of_bytes` and `unknown` have no use.
        Raises:
            InputError: a vocabulary that cannot represent bytes.
        """
        if cell not in CELLS:
            raise InputError(f"cell is {cell!r}; expected one of {', '.join(CELLS)}")
        w_out = floats(w_out)
        names = Names(len(w_out), ids_of_bytes, unknown, first, tokens)
        arrays: list[Any] = [tuple(None if w is None else floats(w) for w in layer) for layer in layers]
        output, embedding = (None if array is None else floats(array) for array in (b_out, embedding))
        try:
            native = _cpu.float_predictor(
                cell=CELLS[cell].code, layers=arrays, w_out=w_out, b_out=output, embedding=embedding, **names.native
            )  # fmt: skip
        except ValueError as error:
            raise InputError(f"the weights do not fit each other, or their tokens: {error}") from None
        start = struct.pack("<8sIIIII", b"float32", CONTRACT, CELLS[cell].code, len(arrays), unknown, names.first)
        hashed = [*(w for layer in arrays for w in layer), w_out, output, names.ids]
        hashed += [] if embedding is None else [embedding]
        source = Source("from_arrays", (cell, arrays, w_out, output), names, start, hashed, embedding=embedding)
        return cls(native, source.digest, source=source)

    @classmethod
    def from_integers(
        cls,
        model: IntegerNetwork,
        *,
        ids_of_bytes: Sequence[int] | None = None,
        unknown: int = 0,
        first: int | None = None,
        tokens: Sequence[bytes] | None = None,
    ) -> Predictor:
        """An integer network, whose packed weights it shares; the rest as in `from_arrays`.

        Raises:
            InputError: a vocabulary that cannot represent bytes.
        """
        network = model.network
        names = Names(model.vocab_size, ids_of_bytes, unknown, first, tokens)
        try:
            native = _cpu.integer_predictor(model.native, **names.native)
        except ValueError as error:
            raise InputError(f"the network does not fit its tokens: {error}") from None
        contracts = CONTRACT, integer.CONTRACT
        start = struct.pack(
            "<8sIIIIII", b"int8", *contracts, CELLS[network.cell].code, model.num_layers, unknown, names.first
        )
        arrays: list[Any] = [None, None] if network.embedding is None else [*network.embedding]
        for layer in network.layers:
            arrays += [*layer.w_ih, *layer.w_hh, layer.bias, layer.bias_hn]
        hashed = [*arrays, *network.output, network.output_bias, names.ids]
        source = Source("from_integers", (model,), names, start, hashed)
        return cls(native, source.digest, source=source)

    @classmethod
    def of(cls, model: Model) -> Predictor:
        """Make the predictor of a language model over bytes, over tokens of bytes such as subwords, or over characters,
        whose ASCII is coded as its bytes.

        What a vocabulary of characters lacks is coded all the same, at 23 bits or so in the network's opinion. N-grams
        in the model's file are left out.

        Raises:
            InputError: what is no model.
        """
        from ..model import without_ngrams
        from ..model.integer import IntegerNetwork

        network: Any = getattr(without_ngrams(model), "network", None)
        if network is None:
            raise InputError(f"the model is {given.shown(model)}; expected one that load or load_predictor read")
        vocabulary = model.reading.vocabulary
        names: dict[str, Any] = {}
        if vocabulary.unit == "token":
            names = {"tokens": tokens_of(vocabulary), "first": model.reading.start}
        elif vocabulary.kind != "bytes":
            of_symbol = {symbol: id for id, symbol in enumerate(vocabulary.symbols) if len(symbol) == 1}
            names = {"ids_of_bytes": [of_symbol.get(chr(byte), -1) if byte < 128 else -1 for byte in range(256)]}
        if isinstance(network, IntegerNetwork):
            return cls.from_integers(network, **names)
        weights, embedding = (network.layers, network.weight, network.bias), network.embedding
        return cls.from_arrays(network.cell.name, *weights, embedding=embedding, **names)


def _again(made: tuple[str, tuple[Any, ...], dict[str, Any]] | None, digest: bytes, past: bytes, end: int) -> Predictor:
    """Make the predictor that was pickled."""
    if made is None:
        return Predictor(None, digest, past, end)
    make, arguments, options = made
    network: Predictor = getattr(Predictor, make)(*arguments, **options)
    return Predictor(network.native, digest, past, end, network._source)


def predictor_of(model: Model | Predictor | None) -> Predictor | None:
    """Return the predictor of `model`."""
    if model is None or isinstance(model, Predictor):
        return model
    return Predictor.of(model)


def native_of(predictor: Predictor | None) -> Any:
    return None if predictor is None else predictor.native


def contract_of(predictor: Predictor | None) -> int:
    """The contract of messages and of their past."""
    return MARGINAL if predictor is not None and predictor.marginal else CONTRACT


def digest_of(predictor: Predictor | None) -> bytes:
    return NO_MODEL if predictor is None else predictor.digest


def matching(what: str, digest: bytes, given: Predictor | None) -> Predictor | None:
    """The model with which `what` was made: the one that was given, or one that comes with the package.

    Args:
        digest: the first bytes of its digest.
    Raises:
        CompressedError: it is another one, or missing.
    """
    size = len(digest)
    if digest == digest_of(given)[:size]:
        return given
    if digest == NO_MODEL[:size]:
        raise CompressedError(f"{what} was made without a model; leave out the model")
    name = digest.hex()[:8]
    if given is not None:
        raise CompressedError(f"{what} was made with the model {name}, and this is {given.digest.hex()[:8]}")
    from ..model import load, named_models

    for path in named_models().values():
        found = Predictor.of(load(path))
        if found.digest.startswith(digest):
            return found
    raise CompressedError(f"{what} was made with the model {name}, which is missing; give it with -m")
