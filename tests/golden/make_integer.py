"""Write integer.json: digests that must never move. `python tests/golden/make_integer.py`, and nothing else, does.

A digest that changes means that quantised models, and what they compressed, read differently from before: that is a new
contract with a new number, to be said in the changelog, and the old one stays readable.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
FILE = HERE / "integer.json"
sys.path.insert(0, str(HERE.parent / "kernels"))


def golden() -> dict[str, dict[str, str]]:
    """Computed with whatever serves now."""
    import numpy as np
    from integers import CELLS, any_state, digest, extreme, floats, text  # pyright: ignore[reportMissingImports]

    from elman.kernels import integer
    from elman.model.quantise import quantise

    result: dict[str, dict[str, str]] = {"models": {}, "quantised": {}}
    for cell in CELLS:
        for L, H, V, B, scale in ((1, 37, 44, 5, 0.05), (3, 70, 33, 9, 30.0)):
            model, ids = extreme(cell, L, H, V, scale=scale), text(7, B, V)
            logits, state = model.run(ids, any_state(model, B))
            nats, _ = model.score(ids, text(7, B, V, 10))
            result["models"][f"{cell} {L} x {H}"] = digest([logits, *state, nats])
        for bits, embedding in ((8, 0), (8, 11), (6, 0), (5, 0), (4, 11)):
            layers, output, E = floats(cell, 2, 21, 13, embedding=embedding)
            model = quantise(cell, layers, output, bits=bits, embedding=E, ids=text(12, 3, 13))
            arrays = model.to_arrays()
            name = f"{cell} {bits} bits" + (", embedding" if embedding else "")
            result["quantised"][name] = digest([arrays[key] for key in sorted(arrays)])
    x = np.arange(-(2**15), 2**15).astype(np.int16)
    result["functions"] = {"sigmoid": digest([integer.sigmoid(x)]), "tanh": digest([integer.tanh(x)])}
    return result


if __name__ == "__main__":
    FILE.write_text(json.dumps(golden(), indent=1) + "\n")
