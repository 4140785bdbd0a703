"""The file of what was learned: held while it is written, private, and shared by processes without a loss."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import elman
from elman.typing.habits import held_file as held
from elman.typing.primer import prime

TALK = "how are you\nhow is she\nare you there\nthe house is here\n" * 4
ALPHABET = "abehiorstuwy \n"
LEARNER = """
import sys
import elman
name, model, learned, tune = sys.argv[1:]
for number in range(5):
    typist = elman.Typist(elman.load(model), "abehiorstuwy \\n", learned=learned, tune=tune == "1")
    typist.learn("are " + name * (number + 1))
    typist.learn("you " + name)
    typist.save()
    typist.learn(name + " here")
    typist.save()
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    corpus = elman.Corpus("t", TALK, "none", "here", True)
    elman.save(elman.build_model(corpus, cell="gru", hidden_size=8, init_std=None, seed=3), tmp_path / "m.safetensors")
    return tmp_path / "m.safetensors"


def lines_in(path: Path) -> list[str]:
    """The lines that a file holds, in order."""
    from elman.model.container import read

    _, tensors = read(str(path), "elman-typist")
    lines, line = [], ""
    for place in tensors["places"].tolist():
        if place < 0:
            lines.append(line)
            line = ""
        elif ALPHABET[place] != "\n":
            line += ALPHABET[place]
    return lines


@pytest.mark.parametrize("tune", [False, True])
def test_processes_that_learn_at_once_lose_nothing(model, tmp_path, tune):
    learned, names = tmp_path / "learned", "abe"
    workers = [
        subprocess.Popen([sys.executable, "-c", LEARNER, name, model, learned, str(int(tune))], stderr=subprocess.PIPE)
        for name in names
    ]
    for worker in workers:
        _, said = worker.communicate()
        assert worker.returncode == 0, said
    expected = [
        line for name in names for n in range(1, 6) for line in ("are " + name * n, "you " + name, name + " here")
    ]
    assert sorted(lines_in(learned)) == sorted(expected)
    assert stat.S_IMODE(learned.stat().st_mode) == 0o600
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"learned", "m.safetensors"}


def test_what_another_saved_is_learned_and_kept(model, tmp_path):
    learned = tmp_path / "learned"
    primed = prime(elman.load(model), TALK, "how is the house\nare you there\nwhere is he\n", most=60)
    typists = [elman.Typist(elman.load(model), ALPHABET, primed=primed, learned=learned) for _ in range(2)]
    for typist, line in zip(typists, ("our house", "his bus"), strict=True):
        typist.learn(line)
        typist.save()
    assert lines_in(learned) == ["our house", "his bus"]
    again = elman.Typist(elman.load(model), ALPHABET, primed=primed, learned=learned)
    assert again.distribution() == typists[1].distribution()
    typists[0].save()  # which has learned nothing since, and takes over what the other has
    assert lines_in(learned) == ["our house", "his bus"]
    assert typists[0].distribution() == again.distribution()


def test_what_one_forgets_no_other_brings_back(model, tmp_path):
    learned = tmp_path / "learned"
    first, second = (elman.Typist(elman.load(model), ALPHABET, learned=learned) for _ in range(2))
    first.learn("secret here".replace("c", "s"))
    first.save()
    second.save()
    assert lines_in(learned) == ["sesret here"]
    first.forget()
    assert not learned.exists()
    second.learn("how are you")
    second.save()
    assert lines_in(learned) == ["how are you"]
    first.save()
    assert lines_in(learned) == ["how are you"]


def test_a_file_that_all_could_read_is_made_private(model, tmp_path):
    learned = tmp_path / "learned"
    typist = elman.Typist(elman.load(model), ALPHABET, learned=learned)
    typist.learn("how are you")
    typist.save()
    os.chmod(learned, 0o644)
    typist.learn("here she is")
    typist.save()
    assert stat.S_IMODE(learned.stat().st_mode) == 0o600
    assert b"whoever reads this file can read it" in learned.read_bytes()


def test_one_waits_for_another_and_sees_its_file(tmp_path):
    pytest.importorskip("fcntl")
    path, seen = tmp_path / "file", []
    path.write_text("first")

    def wait() -> None:
        with held(path) as there:
            seen.append((there, path.read_text()))

    with held(path) as there:
        assert there
        waiting = threading.Thread(target=wait)
        waiting.start()
        (tmp_path / "new").write_text("second")
        os.replace(tmp_path / "new", path)
        assert not seen
    waiting.join()
    assert seen == [(True, "second")]
    path.unlink()
    with held(path) as there:
        assert not there
