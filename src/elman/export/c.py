"""A quantised model as C99: one .c and one .h for a microcontroller, or as a library that Arduino takes.

The code is in `templates`; here the weights become constants. Its numbers are the definition's, `kernels.integer`: what
was float32 there is computed in integers, or guarded from being contracted into fused multiply-adds.
"""

# ruff: noqa: E741 (l is a layer)
from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from .. import __version__
from ..errors import InputError
from ..generation import CHOICES, Sampling
from ..generation.loop import generate_ids
from ..kernels import CELLS
from ..kernels.integer import CARRIES, CONTRACT, SIGMOID, IntegerLayer, Matrix
from ..model import QuantisedModel, refuse_ngrams
from ..model.integer_arrays import pack
from ..text import Vocabulary

TEMPLATES = Path(__file__).parent / "templates"
GOLDEN = 32
"""Tokens of the text that `self_test` writes."""
_GROUP = 8
"""Weights that end with a whole byte at any number of bits."""
_CODES = {"rnn_relu": "RNN_RELU", "rnn_tanh": "RNN_TANH", "gru": "GRU", "lstm": "LSTM"}
LICENCE = "The code is under the MIT licence."


def to_c(model: QuantisedModel, name: str, choice: str = "floats") -> tuple[str, str]:
    """The model as C99 that computes the same bits.

    Args:
        model: with any cell, layers, embedding and bits.
        name: prefix of every name in the code; a C identifier.
        choice: how a token is chosen, as `Sampling.choice`: "floats" writes the text of `generate`; "integers" needs no
            doubles, which a small processor has to emulate.
    Returns:
        The text of the .c, which includes `name`.h, and the text of the .h.
    Raises:
        InputError: a name that is no C identifier, or another choice.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise InputError(f"name is {name!r}; expected letters, digits and _, a letter first, for names in C")
    refuse_ngrams(model, "C")
    sampling = Sampling(seed=1, choice=choice)
    network, vocabulary = model.network.network, model.reading.vocabulary
    L, H, V = network.sizes
    wide = padded(H)
    carried = network.cell in CARRIES
    values = {
        "ABOUT": f"{network.cell} {L} x {H}, {V} {vocabulary.kind}, {model.bits} bits a weight",
        "VERSION": __version__,
        "LICENCE": LICENCE,
        "DIGEST": model.digest(),
        "CONTRACT": f"{CONTRACT}",
        "CHOICE": f"{CHOICES[choice]} ({choice})",
        "V": f"{V}",
        "H": f"{H}",
        "L": f"{L}",
        "WIDE": f"{wide}",
        "C": f"int16_t c[{L}][{H}];\n  " if carried else "",
        "DRAW": "double" if choice == "floats" else "uint64_t",
        "U": "any number in [0, 1)" if choice == "floats" else "any 64 random bits",
        "ID": _ID_DECLARED
        if vocabulary.kind in _ID
        else "/* A text becomes tokens outside: this model's have one or more bytes. */",
        "CUBIC": ", ".join(map(str, SIGMOID.reshape(-1))),
        "COUNT": f"{GOLDEN}",
    }
    golden, crc = _golden(model, sampling)
    values |= {"GOLDEN": ", ".join(map(str, golden)), "CRC": f"0x{crc:08x}"}
    parts = ["network.c", "text.c", f"choice_{choice}.c", "self_test.c"]
    code = [_head(name, choice), _data(model), *((TEMPLATES / part).read_text("utf-8") for part in parts)]
    code.insert(-1, _ID.get(vocabulary.kind, ""))
    return _filled("".join(code), name, values), _filled((TEMPLATES / "model.h").read_text("utf-8"), name, values)


def arduino_library(model: QuantisedModel, name: str, choice: str = "floats") -> dict[str, str]:
    """The files of a library for Arduino's tools, by their paths in its folder: `to_c`, and a sketch that writes."""
    code, header = to_c(model, name, choice)
    values = {"NAME": name, "VERSION": __version__, "ABOUT": f"{model.cell} {model.num_layers} x {model.hidden_size}"}
    sketch, properties = (
        _filled((TEMPLATES / part).read_text("utf-8"), name, values) for part in ("sketch.ino", "library.properties")
    )
    return {
        "library.properties": properties,
        f"src/{name}.c": code,
        f"src/{name}.h": header,
        f"examples/{name}_writes/{name}_writes.ino": sketch,
    }


def padded(size: int) -> int:
    """`size` in whole groups of weights."""
    return -(-size // _GROUP) * _GROUP


def token_bytes(vocabulary: Vocabulary) -> list[bytes]:
    """(V) what each id writes, as UTF-8; empty for one that is never written."""
    never, ids = set(vocabulary.never_written), range(len(vocabulary))
    if vocabulary.reads_bytes:
        return [b"" if i in never else vocabulary.decode_bytes(np.array([i])) for i in ids]
    return [b"" if i in never else vocabulary.decode(np.array([i])).encode("utf-8", "surrogatepass") for i in ids]


def _golden(model: QuantisedModel, sampling: Sampling) -> tuple[list[int], int]:
    """The ids of the golden text, and the CRC-32 of the logits before each."""
    ids = generate_ids(model, np.zeros(0, np.int64), GOLDEN, sampling)
    logits, _ = model(model.reading.primed(ids)[:-1])
    return ids[:, 0].tolist(), zlib.crc32(logits[:, 0].astype("<f4").tobytes())


def _head(name: str, choice: str) -> str:
    guard = (TEMPLATES / "guard.c").read_text("utf-8")
    doubles = _DOUBLES if choice == "floats" else ""
    return f'#include "{name}.h"\n\n#include <float.h>\n#include <string.h>\n\n{guard}{doubles}\n'


def _data(model: QuantisedModel) -> str:
    """Sizes, types and weights."""
    network, bits = model.network.network, model.bits
    L, H, V = network.sizes
    G = CELLS[network.cell].gates
    E = 0 if network.embedding is None else network.embedding.q.shape[1]
    sizes = {"L": L, "H": H, "V": V, "G": G, "E": E, "BITS": bits, "WIDE_H": padded(H), "WIDE_E": padded(E)}
    sizes |= {"WIDE_ROWS": padded(G * H), "START": model.reading.start}
    text = [f"#define {cell} {CELLS[key].code}\n" for key, cell in _CODES.items()]
    text += [f"#define CELL {_CODES[network.cell]}\n", *(f"#define {key} {size}\n" for key, size in sizes.items())]
    carried = "(s->c[l] + j)" if network.cell in CARRIES else "0"
    text += [f"#define CARRIED(s, l, j) {carried}\n\n", f"typedef {'int8_t' if bits == 8 else 'uint8_t'} weight_t;\n"]
    text += [_LAYER]
    first = network.layers[0]
    if network.embedding is None:
        text.append(_weights("w_0", first.w_ih.q.T, bits) + _scales("s_0", first.w_ih))
    else:
        text.append(_weights("w_0", first.w_ih.q, bits) + _scales("s_0", first.w_ih))
        text.append(_weights("w_embedding", network.embedding.q, bits) + _scales("s_embedding", network.embedding))
    text += [_layer(l, layer, bits) for l, layer in enumerate(network.layers)]
    text.append(
        f"static const layer_t layers[L] = {{{', '.join(_entry(l, y) for l, y in enumerate(network.layers))}}};\n"
    )
    text.append(_weights("w_out", network.output.q, bits))
    text.append(_array("float", "s_out", network.output.scale, _real))
    text.append(_array("float", "b_out", network.output_bias, _real))
    tokens = token_bytes(model.reading.vocabulary)
    starts = np.cumsum([0, *map(len, tokens)])
    text.append(_array("uint8_t", "token_bytes", np.frombuffer(b"".join(tokens), np.uint8)))
    text.append(_array("uint32_t" if starts[-1] >= 2**16 else "uint16_t", "token_at", starts))
    return "".join(text) + "\n"


def _layer(l: int, layer: IntegerLayer, bits: int) -> str:
    text = _weights(f"w_hh_{l}", layer.w_hh.q, bits) + _scales(f"s_hh_{l}", layer.w_hh)
    text += _array("int32_t", f"bias_{l}", layer.bias)
    if l:
        text += _weights(f"w_ih_{l}", layer.w_ih.q, bits) + _scales(f"s_ih_{l}", layer.w_ih)
    if layer.bias_hn.size:
        text += _array("int32_t", f"bias_hn_{l}", layer.bias_hn)
    return text


def _entry(l: int, layer: IntegerLayer) -> str:
    above = f"w_ih_{l}, s_ih_{l}" if l else "0, 0"
    return f"{{{above}, w_hh_{l}, s_hh_{l}, bias_{l}, {f'bias_hn_{l}' if layer.bias_hn.size else '0'}}}"


def _weights(label: str, q: np.ndarray, bits: int) -> str:
    """The rows of q (N, K), each filled up with zeros; packed below 8 bits, with a byte behind."""
    wide = np.zeros((len(q), padded(q.shape[1])), np.int8)
    wide[:, : q.shape[1]] = q
    if bits == 8:
        return _array("weight_t", label, wide)
    return _array("weight_t", label, np.append(pack(wide, bits), np.uint8(0)))


def _scales(label: str, matrix: Matrix) -> str:
    """float32 as bits. A denormal becomes 0: by it, every sum rounds to 0."""
    scale = np.where(matrix.scale < np.finfo(np.float32).tiny, np.float32(0), matrix.scale)
    return _array("scale_t", label, scale.astype("<f4").view("<u4"), lambda bits: f"0x{bits:x}u")


def _real(value: float) -> str:
    return f"{float(value).hex()}f"


def _array(kind: str, label: str, values: np.ndarray, form: Callable[..., str] = str) -> str:
    flat: Iterable[str] = [form(v) for v in np.asarray(values).reshape(-1).tolist()] or ["0"]
    lines, line = [], ""
    for each in flat:
        if len(line) + len(each) > 118:
            lines.append(line)
            line = ""
        line += f"{each},"
    lines.append(line.rstrip(","))
    count = max(1, int(np.asarray(values).size))
    return f"static const {kind} {label}[{count}] = {{\n" + "\n".join(lines) + "\n};\n"


def _filled(text: str, name: str, values: dict[str, str]) -> str:
    text = re.sub(r"@([A-Z]+)@", lambda found: values[found[1]], text)
    return re.sub(r"\bMODEL(?=_|\b)", name, text)


_LAYER = """typedef uint32_t scale_t; /* the bits of a float32 */
typedef struct {
  const weight_t *w_ih;
  const scale_t *s_ih;
  const weight_t *w_hh;
  const scale_t *s_hh;
  const int32_t *bias, *bias_hn;
} layer_t;

"""
_DOUBLES = """#if DBL_MANT_DIG != 53
#error "double must have 64 bits; export with --choice integers"
#endif
"""
_ID_DECLARED = """/* The token that text (size bytes, at least 1) begins with, and in *used how many bytes it has. */
int MODEL_id(const char *text, int size, int *used);"""
_ID = {
    "chars": """
int MODEL_id(const char *text, int size, int *used) {
  const uint8_t lead = (uint8_t)text[0];
  int length = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  *used = length < size ? length : size;
  for (int j = 0; j < V; ++j)
    if (token_at[j + 1] - token_at[j] == *used && !memcmp(token_bytes + token_at[j], text, (size_t)*used)) return j;
  return 0; /* <unk> */
}
""",
    "bytes": """
int MODEL_id(const char *text, int size, int *used) {
  (void)size;
  *used = 1;
  return (uint8_t)text[0];
}
""",
}
