"""A page: scored texts as one HTML file, coloured character by character, with the likeliest alternatives.

A page loads nothing: its Content-Security-Policy names its own style and script by their digests and forbids all else.
Text and numbers are typed arrays, packed with gzip, and go into the document as text only, never as markup.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np

from ..errors import InputError
from ..model import Model
from ..scoring import Score, alternatives
from ..text import record_spans

COUNT = 5
"""Alternatives at each character."""
_MOST = 65535  # thousandths of a bit that fit; the page shows more than that as ">= 65.5"
_END = 0x110000  # no character: the place after the last one of a text
_SURROGATES = re.compile("[\ud800-\udfff]")


Expected = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Data of a score: its ids (T,), and the likeliest tokens (T + 1, k) and their bits before each and after the last."""


@dataclass(frozen=True, eq=False)
class Overlay:
    """Something else than surprisal that a page can colour its text by: a hidden unit's activation."""

    name: str
    note: str
    """Text of the legend before the scale."""
    values: np.ndarray
    """float32 (T,), one for each character of all texts, in -scale .. scale, or in 0 .. scale if not `signed`."""
    signed: bool
    scale: float


def page(
    model: Model,
    scores: Sequence[Score],
    names: Sequence[str],
    *,
    title: str,
    layers: Sequence[Overlay] = (),
    sections: str = "",
    expected: Sequence[Expected] | None = None,
    columns: Mapping[str, Sequence[str]] | None = None,
    numbers: Sequence[int] | None = None,
) -> str:
    """`surprisal_page` with more layers to colour by, and HTML `sections` above the text.

    Args:
        expected: of each score, as `expectations` gives it; None: from the model.
        columns: more of the table of scores: a heading, and a cell for each score.
        numbers: of the first line of each score; None: 1.
    Raises:
        InputError: not a name for each score.
    """
    vocabulary = model.reading.vocabulary
    if not scores or len(scores) != len(names):
        raise InputError(f"expected a name for each score; got {len(names)} names for {len(scores)} scores")
    arrays, files, start = [], [], 0
    expected = expectations(model, scores) if expected is None else expected
    for score, name, coming in zip(scores, names, expected, strict=True):
        arrays.append(_columns(score, *coming, model.vocab_size))
        number = numbers[len(files)] if numbers else 1
        files.append({"name": _shown(name), "start": start, "end": start + len(arrays[-1]["codes"]), "line": number})
        start = files[-1]["end"]
    whole = {key: np.concatenate([a[key] for a in arrays]) for key in arrays[0]}
    kinds: list[dict[str, Any]] = [{"name": "surprisal", "kind": "bits", "array": "bits"}]
    for number, layer in enumerate(layers):
        whole[f"layer{number}"] = _steps(layer, files)
        kinds.append(
            {
                "name": layer.name,
                "note": layer.note,
                "kind": "signed" if layer.signed else "positive",
                "scale": layer.scale,
                "array": f"layer{number}",
            }
        )
    symbols: list[Any] = [-1, *map(ord, vocabulary.symbols[1:])] if vocabulary.symbols else []
    spelt = [] if vocabulary.unit != "token" else [vocabulary.name(id) for id in range(len(vocabulary))]
    data = {
        "files": files,
        "bytes": vocabulary.reads_bytes,
        "symbols": symbols,
        "names": spelt,
        "count": min(COUNT, model.vocab_size),
        "layers": kinds,
        "arrays": {key: _packed(values) for key, values in whole.items()},
    }
    style, script = _part("page.css"), _part("page.js")
    return _fill(
        _part("page.html"),
        policy=f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'",
        title=html.escape(_shown(title)),
        about=html.escape(_about(model)),
        heads="".join(f"<th>{html.escape(_shown(head))}" for head in columns or ()),
        files="\n".join(
            _file_row(number, score, name, [cells[number - 1] for cells in (columns or {}).values()])
            for number, (score, name) in enumerate(zip(scores, names, strict=True), 1)
        ),
        sections=sections,
        style=style,
        script=script,
        data=json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
    )


def expectations(model: Model, scores: Sequence[Score]) -> list[Expected]:
    """Compute each score's ids (T,), and the likeliest tokens (T + 1, k) and their bits before each and at the end."""
    parts = [model.reading.vocabulary.encode(score.data) for score in scores]
    result: list[Any] = [None] * len(scores)
    carried = [i for i, score in enumerate(scores) if not score.records]
    if carried:
        primed = [model.reading.primed(parts[i]) for i in carried]
        lengths = np.array([len(ids) for ids in primed])
        ends = np.cumsum(lengths)
        tokens, bits = alternatives(model, np.concatenate(primed), ends - lengths, lengths, COUNT)
        for i, end, length in zip(carried, ends, lengths, strict=True):
            result[i] = parts[i], tokens[end - length : end], bits[end - length : end]
    for i, score in enumerate(scores):
        if score.records:
            ids = model.reading.primed(parts[i])
            tokens, bits = alternatives(model, ids, *record_spans(ids, model.reading.line_end), COUNT)
            rows = np.r_[: len(tokens), 0]  # after the last record a record begins, as the first did
            result[i] = parts[i], tokens[rows], bits[rows]
    return result


def _columns(
    score: Score, ids: np.ndarray, tokens: np.ndarray, bits: np.ndarray, vocab_size: int
) -> dict[str, np.ndarray]:
    """The arrays of the page for one text: an entry for each character, and one for the end."""
    text, cost = score.characters()
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    firsts = score.tokens_of_characters()[0]
    rows = np.append(firsts, len(score.surprisal))
    is_own = tokens[rows] == np.append(ids[firsts].astype(np.int64), -1)[:, None]
    columns = {
        "codes": np.append(codes, np.uint32(_END)),
        "bits": _thousandths(np.append(cost, 0.0)),
        "rank": np.where(is_own.any(1), is_own.argmax(1), 255).astype(np.uint8),
    }
    for k in range(tokens.shape[1]):
        columns[f"token{k}"] = tokens[rows, k].astype(np.min_scalar_type(vocab_size - 1))
        columns[f"bits{k}"] = _thousandths(bits[rows, k])
    return columns


def _thousandths(bits: np.ndarray) -> np.ndarray:
    return np.minimum(np.rint(bits * 1000), _MOST).astype(np.uint16)


def _steps(layer: Overlay, files: Sequence[dict[str, Any]]) -> np.ndarray:
    """int8 in -127 .. 127, or uint8 in 0 .. 255, with an entry for the end of each text."""
    values = layer.values / layer.scale * (127 if layer.signed else 255)
    ends = [file["end"] - number for number, file in enumerate(files, 1)]
    return np.insert(np.rint(values).astype(np.int8 if layer.signed else np.uint8), ends, 0)


def _packed(values: np.ndarray) -> dict[str, str]:
    """A typed array of JavaScript's."""
    kind = {"u": "Uint", "i": "Int"}[values.dtype.kind] + f"{8 * values.itemsize}Array"
    raw = values.astype(values.dtype.newbyteorder("<")).tobytes()
    return {"type": kind, "packed": base64.b64encode(gzip.compress(raw, 6, mtime=0)).decode()}


def _about(model: Model) -> str:
    reading = model.reading
    return (
        f"{model.cell} {model.num_layers} x {model.hidden_size}, {len(reading)} {reading.vocabulary.kind}, "
        f"normalisation {reading.normalisation}{', records' if reading.records else ''}. Point at a character, or "
        "move with the arrow keys, to see its surprisal, -log2 p, and what the model expected there."
    )


def _file_row(number: int, score: Score, name: str, more: Sequence[str]) -> str:
    cells = (
        *more,
        f"{len(score.characters()[0]):,}",
        f"{score.bits:,.1f}",
        f"{score.bits_per_char:.4f}",
        f"{score.perplexity:.4f}",
        f"{score.unknown:,}",
    )
    link = f'<a href="#file{number}">{html.escape(_shown(name))}</a>'
    return f"<tr><td>{link}" + "".join(f"<td>{cell}" for cell in cells) + "</tr>"


def _shown(name: str) -> str:
    """A file's name may hold bytes that are not text."""
    return _SURROGATES.sub("\ufffd", name)


def _part(name: str) -> str:
    return (resources.files("elman.pages") / name).read_text(encoding="utf-8")


def _digest(part: str) -> str:
    """Name of a style or script in a Content-Security-Policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()


def _fill(template: str, **parts: str) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)
