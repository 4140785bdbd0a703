"""The kinds of files that are fuzzed: seeds that the package makes itself, changes, and what reads them.

`read` may raise ElmanError with one line; anything else that it raises is a finding.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mutations
import numpy as np

import elman
from elman.compression import Archive, Codec, Predictor, compress, decompress, load_predictor, write_store
from elman.compression.trained import to_file
from elman.corpora.mapped import load_mapped
from elman.errors import ElmanError
from elman.model import NgramModel, Ngrams
from elman.model.container import CHECKPOINT
from elman.model.counts import levels, pruned, weights
from elman.model.ngrams import CLASSES
from elman.runs import read_checkpoint
from elman.runs.summary import find_runs, read_run
from elman.text import SplitTokens
from elman.text.tokenizer_file import read_tokenizer
from elman.training import resume


@dataclass(frozen=True)
class Kind:
    """seeds: makes them, in an empty folder. change: one of them. read: the changed one, in a folder of its own."""

    seeds: Callable[[Path], list[bytes]]
    change: Callable[[random.Random, bytes], bytes]
    read: Callable[[Path, bytes], None]
    memory: int = 512 << 20
    """Bytes beyond what reading the seeds takes."""
    seconds: float = 20.0
    """Of CPU time."""


TEXT = "abc abd\nbad cab\n\u00e9a b\n" * 12


def command(*arguments: object) -> None:
    """`elman ARGUMENTS` in this process: it must end by itself, with 0, 1 or 2 and at most a line of error."""
    from elman.cli import main

    err, before = io.StringIO(), sys.argv
    sys.argv = ["elman", *map(str, arguments)]
    status: Any = 0
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err):
            main()
    except SystemExit as end:
        status = end.code or 0
    finally:
        sys.argv = before
    assert status in (0, 1, 2), status
    assert err.getvalue().count("\n") <= 1 or status == 0, err.getvalue()


# --- archives ---


_networks: list[Predictor] = []


def subword_network() -> Predictor:
    """The one beside which archives of contract 3 are coded here."""
    if not _networks:
        model = elman.LanguageModel(elman.GRU(258, 4), elman.Reading(_subwords()))
        _networks.append(Predictor.of(elman.quantise(model, 8, TEXT)))
    return _networks[0]


def archives(folder: Path) -> list[bytes]:
    found = []
    cases: Any = (
        (b"", {}), (b"x", {}), (TEXT.encode() * 5, {"level": 1}), (TEXT.encode() * 9, {"level": 9, "block_size": 1000}),
        (bytes(range(256)) * 8, {"block_size": 700}), (b"\0" * 70_000, {"block_size": 40_000}),
        (TEXT.encode() * 2, {"model": subword_network(), "level": 2, "block_size": 300}),
        (TEXT.encode() * 2 + b"\xff\xc3", {"model": subword_network(), "level": 9}),
    )  # fmt: skip
    for text, options in cases:
        target = io.BytesIO()
        compress(io.BytesIO(text), target, **options)
        found.append(target.getvalue())
    return [*found, found[1] + found[2]]


class Sink(io.RawIOBase):
    """Counts what is written, and keeps none of it."""

    size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.size += len(data)
        return len(data)


def read_archive(folder: Path, data: bytes) -> None:
    for model in (None, subword_network()):
        try:
            decompress(io.BytesIO(data), Sink(), model)  # type: ignore[arg-type]
        except ElmanError as error:
            one_line(error)
    path = folder / "a.elz"
    path.write_bytes(data)
    named = data[8:16] == subword_network().digest[:8]
    with Archive(path, subword_network() if named else None) as archive:
        archive.read(0, 10)
        archive.read(max(0, len(archive) - 10))
        if len(archive) < 1 << 20:
            assert len(archive.read()) == len(archive)


# --- stores ---


def stores(folder: Path) -> list[bytes]:
    lines, found = [line.encode() for line in TEXT.splitlines()], []
    cases: Any = (
        ([], {}), ([b""], {}), (lines, {}), (lines * 5, {"level": 1, "past": b""}),
        ([*lines, b"y" * 2000], {"past_size": 99}),
        ([bytes([i, i]) * 9 for i in range(200) if i != 10], {"level": 2}),
    )  # fmt: skip
    for some, options in cases:
        write_store(some, folder / "s.elr", **options)
        found.append((folder / "s.elr").read_bytes())
    return found


def read_store(folder: Path, data: bytes) -> None:
    path = folder / "s.elr"
    path.write_bytes(data)
    with elman.Store(path) as store:
        if len(store):
            for look in (lambda: store[0], lambda: store[-1], lambda: store[: min(70, len(store))]):
                try:
                    look()
                except ElmanError as error:
                    one_line(error)
        if len(store) < 3000:
            assert len(list(store)) == len(store)
            store.append([b"more"])
            assert store[-1] == b"more"


# --- messages ---

_codecs: list[Codec] = []


def codecs() -> list[Codec]:
    if not _codecs:
        past = TEXT.encode() * 3
        _codecs.extend(
            (Codec(), Codec(past=past, level=2), Codec(past=past, model_id=7, check=True), Codec(end=0, text="base85"),
             Codec(past=past, text="base64url", check=True), Codec(Predictor.of(elman.load("english")), level=1),
             Codec(subword_network(), past=past, level=2))
        )  # fmt: skip
    return _codecs


def messages(folder: Path) -> list[bytes]:
    return [b"", *(codec.encode(line) for codec in codecs() for line in (b"abc abd", b"hello\nworld", bytes(40)))]


def read_message(folder: Path, data: bytes) -> None:
    for codec in codecs():
        try:
            assert len(codec.decode(data, max_size=2000)) <= 2000
        except ElmanError as error:
            one_line(error)


# --- models ---


def corpora() -> list[elman.Corpus]:
    return [
        elman.Corpus("t", TEXT, "none", "here", True),
        elman.Corpus("t", TEXT.encode(), "none", "here", False),
        elman.Corpus("t", TEXT, "book", "here", False),
    ]


def _ngrams(model: elman.LanguageModel) -> Ngrams:
    """Of all of TEXT, with weights of one half."""
    ids = model.reading.vocabulary.encode(TEXT).astype(np.int64)
    made = levels(ids, 3, -1, len(ids) - 20)
    kept = pruned(made, weights(made, len(ids) - 20, len(model.reading)), 30, len(model.reading), whole=True)
    return Ngrams.of_kept(len(model.reading), kept, np.full((3, CLASSES, CLASSES), 0.5))


def models(folder: Path) -> list[bytes]:
    found, path = [], folder / "m.safetensors"
    corpus = corpora()
    run = {
        "corpus": {"name": "t", "characters": 5, "digest": "ab"},
        "recipe": {"epochs": 1, "prompts": ["a"]},
        "epochs_done": 1,
    }
    for number, options in enumerate(
        ({"cell": "gru", "hidden_size": 3, "num_layers": 2}, {"cell": "lstm", "hidden_size": 4, "embedding_size": 3},
         {"cell": "rnn_tanh", "hidden_size": 2})
    ):  # fmt: skip
        model = elman.build_model(corpus[number], **options)
        elman.save(model, path, run)
        found.append(path.read_bytes())
        small = elman.quantise(model, (8, 5, 4)[number], TEXT)
        elman.save(small, path, run)
        found.append(path.read_bytes())
        if number == 1:
            found.append(to_file(small, b"abc\nabd\n", 10, {}))
        if number == 0:
            for each in (model, small):
                elman.save(NgramModel(each, _ngrams(model)), path, run)
                found.append(path.read_bytes())
    found.append(to_file(None, b"abc\nabd\n" * 9, 10, {"samples": 3}))
    for vocabulary in (_subwords(), SplitTokens(["ab", "c\u00e9"], "ab|c.")):
        elman.save(elman.LanguageModel(elman.GRU(258, 2), elman.Reading(vocabulary)), path, {})
        found.append(path.read_bytes())
    return found


def _subwords() -> elman.Vocabulary:
    return elman.Vocabulary.from_dict({"kind": "bpe", "symbols": [], "merges": [97, 98, 256, 99]})


def read_model(folder: Path, data: bytes) -> None:
    path = folder / "m.safetensors"
    path.write_bytes(data)
    command("info", path)
    with contextlib.suppress(ElmanError):
        predictor = load_predictor(path)
        if predictor.native is not None or len(predictor.past) < 1 << 16:
            codec = Codec(predictor, level=1)
            assert codec.decode(codec.encode(b"abc")) == b"abc"
    model = elman.load(path)
    for use in (lambda: elman.score(model, "ab\n"), lambda: elman.generate(model, "a", 4), lambda: model.fingerprint()):
        try:
            use()
        except ElmanError as error:
            one_line(error)


# --- checkpoints ---


def _train(folder: Path, corpus: Any, **options: Any) -> None:
    model = elman.build_model(corpus, cell=options.get("cell", "gru"), hidden_size=3, num_layers=2)
    elman.fit(model, corpus, output=folder, epochs=2, batch_size=2, seq_length=5, **options)


def checkpoints(folder: Path) -> list[bytes]:
    (folder / "t.txt").write_text(TEXT)
    found, here = [], Path.cwd()
    os.chdir(folder)  # so that a checkpoint names its corpus without a folder
    try:
        cases: Any = (
            ({"records": True}, {"optimizer": "adamw", "average": 0.9}), ({"normalisation": "none"}, {"cell": "lstm"}),
            ({"normalisation": "none"}, {"optimizer": "adamw", "dropout": 0.1, "val_fraction": 0.2}),
        )  # fmt: skip
        for number, (how, options) in enumerate(cases):
            corpus = elman.load_corpus("t.txt", **how)
            options = {name: value for name, value in options.items() if name in RECIPE or name == "cell"}
            _train(folder / str(number), corpus, **options)
            found.append((folder / str(number) / "checkpoint.safetensors").read_bytes())
    finally:
        os.chdir(here)
    return found


RECIPE = set(elman.Recipe.__dataclass_fields__) - {"dropout"}


class _Stop(Exception):
    pass


def _stop(*_: object) -> None:
    raise _Stop


def read_a_checkpoint(folder: Path, data: bytes) -> None:
    run = folder / "run"
    run.mkdir(exist_ok=True)
    (run / "checkpoint.safetensors").write_bytes(data)
    (folder / "t.txt").write_text(TEXT)
    command("runs", folder)
    find_runs(folder)
    for use in (lambda: read_run(run), lambda: read_checkpoint(run)):
        try:
            use()
        except ElmanError as error:
            one_line(error)
    checkpoint, before = read_checkpoint(run), sys.stdin
    checkpoint.run.path = None  # what is read is not written over
    with open(os.devnull) as nothing:
        sys.stdin = nothing
        try:
            resume(checkpoint, on_step=_stop, on_epoch=_stop)
        except (_Stop, elman.TrainingDiverged):
            pass
        finally:
            sys.stdin = before


# --- logs ---


def logs(folder: Path) -> list[bytes]:
    corpus = corpora()[0]
    _train(folder / "run", corpus)
    return [(folder / "run" / "log.jsonl").read_bytes()]


def change_log(draw: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    at = draw.randrange(len(lines) - 1)
    lines[at] = mutations.json_bytes(draw, lines[at])
    return b"\n".join(lines)


_run: dict[str, bytes] = {}


def read_log(folder: Path, data: bytes) -> None:
    run = folder / "run"
    if not _run:
        _train(run, corpora()[0])
        _run.update({path.name: path.read_bytes() for path in run.glob("*.safetensors")})
    run.mkdir(exist_ok=True)
    for name, held in _run.items():
        (run / name).write_bytes(held)
    (run / "log.jsonl").write_bytes(data)
    command("runs", folder)
    if len(data) % 8 == 0:  # pictures take long
        command("plot", run, "--output", folder / "c.svg")
    read_run(run)


# --- ids in the cache ---

_cached: dict[str, Any] = {}


def cached(folder: Path) -> list[bytes]:
    """Which changes are made to the cache's files: it is a folder, so an input is the seed of them."""
    (folder / "t.txt").write_text(TEXT)
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    corpus = load_mapped(folder / "t.txt", normalisation="none")
    _cached.update(folder=folder, digest=corpus.digest())
    return [b""]


def read_cached(folder: Path, data: bytes) -> None:
    """Damaged ids are not taken: what is loaded is the text's ids, or an error of one line."""
    for path in sorted((_cached["folder"] / "cache").rglob("*.*")):
        draw = random.Random(data + path.suffix.encode())
        if data and path.is_file() and draw.random() < 0.7:
            old = path.read_bytes()
            path.unlink()  # it may be mapped
            path.write_bytes(mutations.of_bytes(draw, old))
    corpus = load_mapped(_cached["folder"] / "t.txt", normalisation="none")
    assert corpus.digest() == _cached["digest"], "another digest"
    ids = corpus.ids(corpus.vocabulary())
    assert corpus.vocabulary().decode(ids) == TEXT, "ids of another text were taken"


# --- tokenizers ---


def tokenizers(folder: Path) -> list[bytes]:
    from elman.text.tokenizer_file import _letters_of_bytes

    letters = list(_letters_of_bytes())
    vocabulary = {letter: id for id, letter in enumerate(letters)} | {"ab": 256, "abc": 257}
    model = {"type": "BPE", "vocab": vocabulary, "merges": ["a b", "ab c"]}
    pairs = model | {"merges": [["a", "b"], ["ab", "c"]], "byte_fallback": False, "dropout": None}
    return [
        json.dumps({"version": "1.0", "normalizer": None, "added_tokens": [], "model": m}).encode()
        for m in (model, pairs)
    ]


def read_a_tokenizer(folder: Path, data: bytes) -> None:
    subwords = read_tokenizer(data, "t.json")
    text = "abc \u00e9\n 12"
    assert subwords.decode(subwords.encode(text)) == text


def one_line(error: BaseException) -> None:
    assert str(error).strip()
    assert "\n" not in str(error), repr(str(error))


KINDS = {
    "cached": Kind(cached, lambda draw, data: draw.randbytes(4), read_cached),
    "archive": Kind(archives, mutations.archive, read_archive),
    "store": Kind(stores, mutations.store, read_store),
    "message": Kind(messages, mutations.of_bytes, read_message),
    "model": Kind(models, mutations.tensors, read_model),
    "checkpoint": Kind(checkpoints, lambda draw, data: mutations.tensors(draw, data, CHECKPOINT), read_a_checkpoint),
    "log": Kind(logs, change_log, read_log),
    "tokenizer": Kind(tokenizers, mutations.json_bytes, read_a_tokenizer),
}
