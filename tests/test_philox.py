"""philox: the published vectors, the streams as they were always drawn, and that nothing else draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import elman
from elman import philox
from elman.batches import shuffled

# Random123's known answers for philox 4x64-10 (kat_vectors): counter, key -> words.
KNOWN = [
    (
        (0, 0, 0, 0),
        (0, 0),
        (0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B),
    ),
    (
        (2**64 - 1,) * 4,
        (2**64 - 1,) * 2,
        (0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0),
    ),
    (
        (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89),
        (0x452821E638D01377, 0xBE5466CF34E90C6C),
        (0xA528F45403E61D95, 0x38C72DBD566E9788, 0xA5A1610E72FD18B5, 0x57BD43B5E52B7FE6),
    ),
]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_published_vectors(counter, key, words):
    before = (sum(c << 64 * i for i, c in enumerate(counter)) - 1) % 2**256  # NumPy counts up before it draws
    bits = np.random.Philox(counter=before, key=sum(k << 64 * i for i, k in enumerate(key)))
    assert tuple(int(w) for w in bits.random_raw(4)) == words


def test_a_stream_is_a_function_of_seed_and_use():
    raw = philox.words(7, philox.EPOCH + 3, 5)
    assert raw.tolist() == np.random.Philox(key=7 + ((2**32 + 3) << 64)).random_raw(5).tolist()
    assert raw[:2].tolist() == philox.words(7, philox.EPOCH + 3, 2).tolist()
    assert raw.tolist() != philox.words(7, philox.EPOCH + 4, 5).tolist()
    assert shuffled(5, 7).tolist() == np.argsort(philox.words(7, philox.EPOCH, 5), kind="stable").tolist()


def test_unit_uses_53_bits():
    ends = np.array([0, 2**11 - 1, 2**11, 2**64 - 1], dtype=np.uint64)
    assert philox.unit(ends).tolist() == [0.0, 0.0, 2.0**-53, 1.0 - 2.0**-53]


def test_nothing_else_draws():
    """A draw by NumPy's Generator, or by Python's random, would not have the same bits in another version."""
    package = Path(elman.__file__).parent
    for file in package.rglob("*.py"):
        if file.name != "philox.py":
            text = file.read_text(encoding="utf-8")
            if file == package / "golden" / "integers.py":  # raw words alone, the same in every version
                text = text.replace("np.random.Philox(", "")
            assert not any(name in text for name in ("default_rng", "np.random.", "import random")), file
