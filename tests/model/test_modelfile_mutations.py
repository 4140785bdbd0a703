"""Hostile model files: each of some thousand mutations loads or is a ModelFileError, in little time and memory.

Bytes are changed, cut, doubled and moved; the header's values are replaced by odd ones, also under a digest that is
right again, so that what comes after the digest is reached too.
"""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load as from_safetensors
from safetensors.numpy import save as to_safetensors

import elman
from elman.model.container import _digest

ODD = (None, True, 0, -1, 1, 2**31, 10**30, 1e308, "", "x", "\x00", [], [[]] * 3, {}, {"a": {}}, "gru", "rnn_relu", 1.5)
_SECONDS = 20.0  # of CPU
_MEMORY = 256 << 20  # bytes beyond what is in use before

resource = pytest.importorskip("resource", reason="bounds on memory are POSIX's")


@pytest.fixture(scope="module", params=[None, 8, 5], ids=["floats", "8 bits", "5 bits"])
def whole(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "m"
    corpus = elman.Corpus("t", "ab\ncab\n", "none", "here", True)
    model = elman.build_model(corpus, cell="gru", hidden_size=3, num_layers=2)
    if request.param is not None:
        model = elman.quantise(model, request.param)
    elman.save(model, path, {"corpus": {"name": "t"}})
    return path.read_bytes()


def of_bytes(whole: bytes, count: int):
    """Changed bytes, more of them in the header than in the weights."""
    draw = np.random.Generator(np.random.Philox(7))
    size = 8 + int.from_bytes(whole[:8], "little")
    for _ in range(count):
        data, kind = bytearray(whole), draw.integers(0, 6)
        at = int(draw.integers(0, 8 if kind == 0 else size if draw.random() < 0.8 else len(data)))
        if kind <= 2:
            data[at] = int(draw.integers(0, 256))
        elif kind == 3:
            data = data[:at]
        elif kind == 4:
            data[at:at] = data[at : at + int(draw.integers(1, 99))]
        else:
            del data[at : at + int(draw.integers(1, 9))]
        yield bytes(data)


def of_headers(whole: bytes):
    """Odd values in every place of the header, under a right digest."""
    size = 8 + int.from_bytes(whole[:8], "little")
    outer = json.loads(json.loads(whole[8:size])["__metadata__"]["elman"])
    tensors = from_safetensors(whole)
    for place in (("format",), ("digest",), ("config",)):
        for odd in ODD:
            yield to_safetensors(tensors, {"elman": json.dumps(outer | {place[0]: odd})})
    config = json.loads(outer["config"])
    places = [(key,) for key in config] + [("vocabulary", key) for key in config["vocabulary"]]
    for place in places:
        for odd in (*ODD, _REMOVED):
            changed = json.loads(outer["config"])
            inner = changed
            for key in place[:-1]:
                inner = inner[key]
            inner[place[-1]] = odd
            if odd is _REMOVED:
                del inner[place[-1]]
            text = json.dumps(changed)
            yield to_safetensors(
                tensors, {"elman": json.dumps(outer | {"config": text, "digest": _digest(text, tensors)})}
            )
    text = outer["config"]
    for name in tensors:
        worst = np.full_like(
            tensors[name], np.nan if tensors[name].dtype.kind == "f" else np.iinfo(tensors[name].dtype).min
        )
        for array in (worst, tensors[name].astype(np.int32), tensors[name][:1],
                      tensors[name].astype(np.float64), np.zeros((0,), np.float32)):  # fmt: skip
            changed = tensors | {name: np.ascontiguousarray(array)}
            yield to_safetensors(changed, {"elman": json.dumps(outer | {"digest": _digest(text, changed)})})
    many = {f"layer.weight_ih_l{i}": np.zeros(1, np.float32) for i in range(20_000)}
    yield to_safetensors(many, {"elman": json.dumps(outer | {"digest": _digest(text, many)})})
    deep = "[" * 100_000
    yield to_safetensors(tensors, {"elman": json.dumps(outer | {"config": deep, "digest": _digest(deep, tensors)})})


_REMOVED = object()
_CODE = """
import resource, sys, time
import elman
from pathlib import Path
elman.load(sys.argv[1])
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + {memory}, used + {memory}))
for path in sorted(Path(sys.argv[2]).iterdir()):
    start = time.process_time()
    try:
        elman.load(path)
        result = "loads"
    except elman.ModelFileError as error:
        assert "\\n" not in str(error)
        result = "refused"
    except BaseException as error:
        result = f"{{type(error).__name__}}: {{str(error)[:200]}}"
    print(path.name, round(time.process_time() - start, 2), result, flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/self/statm")
@pytest.mark.parametrize("kind", ["bytes", "headers"])
def test_every_mutation_loads_or_is_refused(whole, kind, tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "whole").write_bytes(whole)
    count = 0
    for data in of_bytes(whole, 1500) if kind == "bytes" else of_headers(whole):
        (tmp_path / "files" / f"{count:05}").write_bytes(data)
        count += 1
    code = _CODE.format(memory=_MEMORY)
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "whole"), str(tmp_path / "files")], capture_output=True, text=True
    )
    rows = [line.split(" ", 2) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (done.stderr[-2000:], rows[-1:])
    assert len(rows) == count > 300
    assert not [row for row in rows if row[2] not in ("loads", "refused")][:5]
    assert max(float(seconds) for _, seconds, _ in rows) < _SECONDS
    assert sum(row[2] == "loads" for row in rows) < count / 2
