"""The numbers that a page carries."""

from __future__ import annotations

import base64
import gzip
import json
import re

import numpy as np


def unpack(page: str) -> tuple[dict, dict[str, np.ndarray]]:
    (block,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    data = json.loads(block)
    arrays = {}
    for name, array in data["arrays"].items():
        kind = array["type"].removesuffix("Array").lower()
        arrays[name] = np.frombuffer(gzip.decompress(base64.b64decode(array["packed"])), dtype=kind)
    return data, arrays
