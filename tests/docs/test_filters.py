"""The filters on the page about KenLM drop what they should in the packages that they are written for."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from command_line import PATIENCE

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "kenlm.md"
GOOD = "The traveller came down to the sea at noon, and stood there for a while."
BAD = "qzx vvv kk 88 #### lorem fjfjf zzq"
RUN = {
    "datatrove": f"""
filtered = PerplexityFilter("english", 5000.0)(iter([Document(text=t, id=t) for t in ({GOOD!r}, {BAD!r})]), 0, 1)
print(*[document.text for document in filtered], sep="\\n")
""",
    "nemo_curator": f"""
import pandas
from nemo_curator.stages.text.filters import ScoreFilter
from nemo_curator.tasks import DocumentBatch

stage = ScoreFilter(PerplexityFilter("english", 5000.0), score_field="perplexity")
stage.setup()
batch = DocumentBatch(dataset_name="test", data=pandas.DataFrame({{"text": [{GOOD!r}, {BAD!r}]}}))
kept = stage.process(batch).to_pandas()
assert kept["perplexity"].tolist() == [kenlm.Model("english").perplexity({GOOD!r})]
print(*kept["text"], sep="\\n")
""",
}


@pytest.mark.skipif(not PAGE.is_file(), reason="the tests run outside a checkout, without its docs")
@pytest.mark.parametrize("package", RUN)
def test_a_filter_drops_what_is_odd(package, tmp_path):
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    blocks = re.findall(r"(?ms)^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"))
    (code,) = [block for block in blocks if f"from {package}" in block]
    (tmp_path / "filtering.py").write_text(code + RUN[package], encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "filtering.py"], cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [GOOD]
