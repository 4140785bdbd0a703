"""The programs of docs/how-to/tables.md: Parquet in, the bits of `elman.score` out, row by row. `make test-engines`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import elman

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "tables.md"
ENGINES = {"dask": ("dask.dataframe", "dask.distributed"), "ray": ("ray.data",)}
TEXTS = [None if i % 13 == 5 else f"The  cat {i} sat,\n on the café. " * (i % 7) for i in range(120)]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_writes_the_bits_of_score(engine, tmp_path):
    needed = ("pandas", "pyarrow", *ENGINES[engine])
    missing = "{} is not installed; `make test-engines` installs the engines"
    pandas, *_ = [pytest.importorskip(name, reason=missing.format(name)) for name in needed]

    (program,) = re.findall(rf"(?ms)^```python\n(# score_{engine}\.py\n.*?)^```$", PAGE.read_text("utf-8"))
    (tmp_path / "program.py").write_text(program.replace("batch_size=1024", "batch_size=7"), encoding="utf-8")
    (tmp_path / "texts").mkdir()
    for part in range(3):  # of 40 rows each
        rows = {"id": range(40 * part, 40 * part + 40), "text": TEXTS[40 * part : 40 * part + 40]}
        pandas.DataFrame(rows).to_parquet(tmp_path / "texts" / f"{part}.parquet")
    env = os.environ | {"ELMAN_THREADS": "1", "HOME": str(tmp_path)}  # Ray keeps a token at home
    arguments = [sys.executable, "program.py", "english", "texts", "numbers"]
    done = subprocess.run(arguments, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=480)
    if "node timed out during startup" in done.stderr:
        pytest.skip("Ray, which waits for itself for 30 s, did not start on this busy machine")
    assert done.returncode == 0, done.stderr
    told = pandas.read_parquet(tmp_path / "numbers").sort_values("id")
    expected = [(i, elman.score(elman.load("english"), text).bits) for i, text in enumerate(TEXTS) if text]
    assert list(zip(told["id"].tolist(), told["bits"].tolist(), strict=True)) == expected
