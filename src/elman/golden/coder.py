"""The golden results of the coder: archives of a bundled story, by contexts alone and by the model `english`."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator

from ..compression import compress, decompress, load_predictor
from ..corpora import load_corpus

ISAS = ("plain", "avx2")


def results() -> Iterator[tuple[str, str]]:
    """The name of each result, as in coder.json, and the archive's SHA-256; or what was wrong when it was read back."""
    data = str(load_corpus("traveller", max_chars=6_000).text).encode()
    for name in (None, "english"):
        model, archive, again = name and load_predictor(name), io.BytesIO(), io.BytesIO()
        compress(io.BytesIO(data), archive, model or None)
        archive.seek(0)
        decompress(archive, again, model or None)
        same = again.getvalue() == data
        yield f"archives/{name or 'contexts'}", hashlib.sha256(archive.getvalue()).hexdigest() if same else "not read"
