"""The golden results of the coder: archives of a bundled story, by contexts alone and by the model `english`."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator

from ..compression import compress, decompress, load_predictor
from ..compression.blocks import CONTRACTS, MARGINAL
from ..corpora import load_corpus

ISAS = ("plain", "avx2")


def results() -> Iterator[tuple[str, str]]:
    """The name of each result, as in coder.json, and the archive's SHA-256; or what was wrong when it was read back."""
    data = str(load_corpus("traveller", max_chars=6_000).text).encode()
    for name in (None, "english"):
        model = None if name is None else load_predictor(name)
        for contract in CONTRACTS:
            if contract == MARGINAL:  # of models of longer tokens alone
                continue
            archive, again = io.BytesIO(), io.BytesIO()
            compress(io.BytesIO(data), archive, model, contract=contract)
            archive.seek(0)
            decompress(archive, again, model)
            part = "archives" if contract == 1 else f"archives of contract {contract}"
            same = again.getvalue() == data
            yield f"{part}/{name or 'contexts'}", hashlib.sha256(archive.getvalue()).hexdigest() if same else "not read"
