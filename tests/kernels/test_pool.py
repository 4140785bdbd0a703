"""A region ends when its last thread is through, however badly that thread is held up in announcing it."""

from __future__ import annotations

import subprocess

from command_line import PATIENCE
from drivers import NATIVE, needs_source, tool

pytestmark = needs_source
LAST_LINE = "if (left.fetch_sub(1) == 1) finished.bump();"
PROGRAM = """
#include <cstdio>
int main() {
  int early = 0;
  for (int region = 0; region < 200; ++region) {
    std::atomic<int> done{0};
    elman::parallel(2, [&](const elman::Team& team) {
      if (team.id == region % 2) usleep(500);  // now the caller is the last, now the worker
      done++;
    });
    if (done != 2) ++early, usleep(10000);
  }
  std::printf("%d", early);
  std::fflush(stdout);
  _exit(0);
}
"""


def test_a_late_announcement_does_not_end_the_next_region(tmp_path, monkeypatch):
    compiler = tool("g++", "c++")
    source = (NATIVE / "team" / "pool.cpp").read_text(encoding="utf-8")
    assert LAST_LINE in source
    source = source.replace(LAST_LINE, LAST_LINE.replace("finished", "usleep(1500), finished"))
    (tmp_path / "pool.cpp").write_text("#include <unistd.h>\n" + source + PROGRAM, encoding="utf-8")
    program = tmp_path / "pool"
    others = (NATIVE / "team" / f"{part}.cpp" for part in ("wait", "cores", "scratch", "environment"))
    sources = [tmp_path / "pool.cpp", *others]
    subprocess.run([compiler, "-std=c++17", "-O1", "-pthread", f"-I{NATIVE}/team", *sources, "-o", program], check=True)
    monkeypatch.setenv("ELMAN_THREADS", "2")
    done = subprocess.run([program], capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert done.stdout == "0"
