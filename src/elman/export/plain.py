"""The plain container: a model as sizes and arrays, which C reads without a parser for JSON. Little-endian.

    magic          8 bytes, "ELMANMDL"
    header         16 int32, as HEADER names them
    tokens         uint32 (V + 1), where each id's bytes begin; then the bytes, filled up to a multiple of 8
    arrays         each filled up to a multiple of 8

Arrays of a float model: the weights as `ModelWeights.weights` lists them, float32. Of an integer one: the embedding;
of each layer w_ih, w_hh, bias, and bias_hn of a GRU; output and its bias. There a matrix is its weights, int8 or packed
as in its model file, and then its float32 scales. `src/native/c/container.cpp` reads it.
"""

from __future__ import annotations

import struct

import numpy as np

from ..kernels import CELLS, Array
from ..kernels.integer import Matrix
from ..model import LanguageModel, Model, QuantisedModel, refuse_ngrams
from ..model.integer_arrays import pack
from ..text import SplitTokens, Subwords
from .c import token_bytes

MAGIC = b"ELMANMDL"
CUT = b"ELMANCUT"
VERSION = 1
HEADER = (
    *("version", "cell", "layers", "hidden", "vocab", "embedding", "bits", "bias"),
    *("start", "tokens", "normalisation", "records", "token_bytes", "zero_0", "zero_1", "zero_2"),
)
"""bits: 32 of a float model. bias: 1 where its layers have biases, 2 where its output has one. tokens: 0 characters, 1
bytes, 2 tokens of one or more bytes. normalisation: 0 none, 1 book. The zeros are for later versions."""
KINDS = {"chars": 0, "bytes": 1, "bpe": 2, "split": 2}
NORMALISATIONS = ("none", "book")


def to_plain(model: Model) -> bytes:
    """The container's bytes."""
    refuse_ngrams(model, "the plain container")
    reading = model.reading
    tokens = token_bytes(reading.vocabulary)
    joined = b"".join(tokens)
    if isinstance(model, QuantisedModel):
        arrays, bits, bias = _integers(model), model.bits, 0
        embedding = model.network.network.embedding
        E = 0 if embedding is None else embedding.q.shape[1]
    else:
        assert isinstance(model, LanguageModel)
        network = model.network
        arrays, bits = network.weights(), 32
        bias = (network.layers[0][2] is not None) + 2 * (network.bias is not None)
        E = 0 if network.embedding is None else network.embedding.shape[1]
    values = [VERSION, CELLS[model.cell].code, model.num_layers, model.hidden_size, model.vocab_size, E, bits, bias]
    values += [reading.start, KINDS[reading.vocabulary.kind], NORMALISATIONS.index(reading.normalisation)]
    values += [int(reading.records), len(joined), 0, 0, 0]
    parts = [MAGIC + struct.pack(f"<{len(HEADER)}i", *values)]
    parts.append(np.cumsum([0, *map(len, tokens)], dtype="<u4").tobytes() + joined)
    parts += [np.ascontiguousarray(a, a.dtype.newbyteorder("<")).tobytes() for a in arrays]
    return b"".join(part + bytes(-len(part) % 8) for part in parts)


def for_javascript(model: Model) -> bytes:
    """The container and, where tokens have several bytes, how `web/subwords.js` cuts a text into them: the pairs of
    merges, uint16 (N, 2), their number, int32, filled up to 8 bytes, and "ELMANCUT". N is -1 where tokens are the
    longest that fit."""
    vocabulary = model.reading.vocabulary
    if isinstance(vocabulary, SplitTokens):
        return to_plain(model) + struct.pack("<i4x", -1) + CUT
    if not isinstance(vocabulary, Subwords):
        return to_plain(model)
    pairs = np.array(vocabulary.merges, dtype="<u2")
    return to_plain(model) + pairs.tobytes() + struct.pack("<i4x", len(pairs)) + CUT


def _integers(model: QuantisedModel) -> list[Array]:
    network = model.network.network

    def matrix(m: Matrix) -> list[Array]:
        return [m.q if model.bits == 8 else pack(m.q, model.bits), m.scale]

    arrays = [] if network.embedding is None else matrix(network.embedding)
    for layer in network.layers:
        arrays += [*matrix(layer.w_ih), *matrix(layer.w_hh), layer.bias]
        arrays += [layer.bias_hn] if layer.bias_hn.size else []
    return [*arrays, *matrix(network.output), network.output_bias]
