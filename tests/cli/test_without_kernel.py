"""An installation without the native kernel: NumPy computes, and what only the kernel can do is refused in one line.

A child process in which `elman.kernels._cpu` cannot be imported tries every command and every public name.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import elman
from elman import compression
from elman.cli import COMMANDS as ALL

NEEDS = "archives, stores and messages need the native kernel"
COMMANDS = {
    "train": "train t.txt --records --output run --epochs 1 --hidden-size 8 --batch-size 2 --seq-length 4 --cell gru",
    "generate": "generate run a --length 5",
    "score": "score run t.txt",
    "calibrate": "calibrate run t.txt --quantile 0.5",
    "rescore": "rescore run n-best.txt",
    "inspect": "inspect run t.txt --corpus t.txt",
    "quantise": "quantise run --output small",
    "quantize": "quantize run --output smaller",
    "export": "export c run -o model.c",
    "compress": "compress t.txt",
    "decompress": "decompress a.elz",
    "get": "get a.elr 1",
    "store": "store get a.elr 1",
    "message": "message encode ab",
    "train-coder": "train-coder numbers.txt -o coder --epochs 1",
    "runs": "runs .",
    "plot": "plot run --output curve.svg",
    "info": "info run",
    "corpora": "corpora",
    "cache": "cache",
    "recipes": "recipes book",
    "self-test": "self-test",
    "completion": "completion bash",
    "manual": "manual",
}
CALLS = {
    "Beam": "elman.Beam('a', 1.0)",
    "Codec": "elman.Codec()",
    "Corpus": "corpus",
    "CompressedError": "elman.CompressedError()",
    "CorpusError": "elman.CorpusError()",
    "ElmanError": "elman.ElmanError()",
    "EmptyTextError": "elman.EmptyTextError()",
    "GRU": "elman.GRU(3, 4)(x)",
    "InputError": "elman.InputError()",
    "LSTM": "elman.LSTM(3, 4)(x)",
    "LanguageModel": "elman.LanguageModel(elman.GRU(len(corpus.reading()), 4), corpus.reading())",
    "Model": "elman.Model",
    "ModelFileError": "elman.ModelFileError()",
    "QuantisedModel": "elman.quantise(model)(ids)",
    "RNN": "elman.RNN(3, 4)(x)",
    "Reading": "corpus.reading()",
    "Recipe": "elman.Recipe()",
    "Run": "elman.fit(model, corpus, epochs=1, batch_size=2, seq_length=4)",
    "Sampling": "elman.generate(model, 'a', 5, temperature=0.7, top_k=3)",
    "Score": "elman.score(model, 'ab', adaptive=True)",
    "Store": "elman.Store('a.elr')",
    "TrainingDiverged": "elman.TrainingDiverged()",
    "Typist": "elman.Typist(model).distribution()",
    "Vocabulary": "elman.Vocabulary.from_text('ab')",
    "WorkerLost": "elman.WorkerLost()",
    "after": "elman.after(model, 'ab')",
    "beam_search": "elman.beam_search(model, 'a', 3)",
    "build_model": "elman.build_model(corpus, cell='lstm', hidden_size=4)(ids)",
    "fit": "elman.fit(model, corpus, epochs=1, batch_size=2, seq_length=4, optimizer='adamw')",
    "generate": "elman.generate(elman.quantise(model), 'a', 5)",
    "load": "elman.load('run')",
    "load_corpus": "elman.load_corpus('t.txt')",
    "load_recipe": "elman.load_recipe('modern')",
    "normalise": "elman.normalise('A', 'book')",
    "quantise": "elman.score(elman.quantise(model), 'ab')",
    "resume": "elman.resume(elman.runs.read_checkpoint('run'), epochs=2)",
    "save": "elman.save(model, 'saved')",
    "score": "elman.score(model, 'ab')",
    "stream": "list(elman.stream(model, 'a', 5))",
    # of the submodules
    "compression.compress": "elman.compression.compress(io.BytesIO(b'ab'), io.BytesIO())",
    "compression.decompress": "elman.compression.decompress(open('a.elz', 'rb'), io.BytesIO())",
    "compression.write_store": "elman.compression.write_store([b'ab'], 's.elr')",
    "compression.Predictor": "elman.compression.Predictor.of(elman.load('english'))",
    "compression.Archive": "elman.compression.Archive('a.elz').read()",
    "compression.load_predictor": "elman.compression.load_predictor('english')",
    "kernels.serving": "elman.kernels.serving()",
    "kernels.use": "elman.kernels.use('cpu').__enter__()",
}
REFUSED = {
    "elman compress",
    "elman decompress",
    "elman get",
    "elman store",
    "elman message",
    "elman train-coder",
    "Codec",
    "Store",
    "kernels.use",
} | {name for name in CALLS if name.startswith("compression.")}

CHILD = """
import io, json, sys
sys.modules["elman.kernels._cpu"] = None
import contextlib
import numpy as np
import elman, elman.compression, elman.kernels, elman.training
from elman.cli import main
commands, calls = json.load(sys.stdin)
done = {}
for name, line in commands.items():
    sys.argv, err, status = ["elman", *line.split()], io.StringIO(), 0
    try:
        with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
            main()
    except SystemExit as end:
        status = end.code or 0
    done["elman " + name] = [status, err.getvalue()]
corpus = elman.load_corpus("t.txt", records=True)
model = elman.build_model(corpus, cell="gru", hidden_size=4)
ids, x = np.zeros((2, 1), np.int64), np.zeros((2, 1, 3), np.float32)
for name, call in calls.items():
    try:
        eval(call)
        done[name] = [0, ""]
    except elman.InputError as error:
        done[name] = [2, f"elman: {error}\\n"]
json.dump(done, sys.stdout)
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("without")
    (folder / "t.txt").write_text("abc abd\nbad cab\n" * 20)
    (folder / "n-best.txt").write_text("0 ||| abc ||| LM= -1 ||| -1\n")
    (folder / "numbers.txt").write_text("\n".join(map(str, range(300))) + "\n")
    pytest.importorskip("elman.kernels._cpu", reason="the archives that are read are made with the kernel")
    with open(folder / "t.txt", "rb") as source, open(folder / "a.elz", "wb") as target:
        compression.compress(source, target)
    compression.write_store([b"ab", b"cd"], folder / "a.elr")
    child = subprocess.run(
        [sys.executable, "-c", CHILD], input=json.dumps([COMMANDS, CALLS]), capture_output=True, text=True, cwd=folder
    )
    assert child.returncode == 0, child.stderr
    return json.loads(child.stdout)


def test_the_lists_are_whole():
    assert set(COMMANDS) == set(ALL) - {"serve"}  # which does not end by itself
    assert {name for name in CALLS if "." not in name} == set(elman.__all__)


@pytest.mark.parametrize("name", [*(f"elman {name}" for name in COMMANDS), *CALLS])
def test_works_or_is_refused_in_one_line(name, done):
    status, message = done[name]
    if name in REFUSED:
        message = message.splitlines(keepends=True)[-1]  # after the advice of an old spelling
        assert status == 2
        assert message.startswith("elman: ")
        assert "native kernel" in message
        assert NEEDS in message or name == "kernels.use"
    else:
        assert status == 0, message
