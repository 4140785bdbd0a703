"""libelman, the kernel without Python, exceptions and, where asked, threads: a program in C runs a layer with it, and
has the golden digest, whatever compiled it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from c_codec import CCodec
from c_trainer import CTrainer
from command_line import PATIENCE
from drivers import HERE, NATIVE, library, needs_source, tool

import elman
from elman import __version__, golden
from elman.compression import Codec
from elman.export import to_plain
from elman.golden.inputs import digest, layer_inputs
from elman.kernels import CELLS, likelihood
from elman.model import Model

pytestmark = needs_source
SIZES = {"T": 7, "B": 5, "I": 13, "H": 37}


def run(program: list[str | Path], cell: str) -> tuple[str, str]:
    """The digest of the layer's results, and what the program, a command, says of the library."""
    kind, (T, B, I, H) = CELLS[cell], SIZES.values()  # noqa: E741 (I is the size of the input)
    x, state, weights, cotangents = layer_inputs(cell, **SIZES)  # type: ignore
    given = b"".join(np.ascontiguousarray(a).tobytes() for a in (x, *state, *weights, *cotangents) if a is not None)
    command = [*program, *map(str, (kind.code, T, B, I, H))]
    environment = {name: value for name, value in os.environ.items() if name != "ELMAN_ISA"}
    done = subprocess.run(command, input=given, capture_output=True, timeout=PATIENCE, env=environment)
    assert done.returncode == 0, done.stderr.decode()
    shapes = [
        (T, B, H),
        *[(B, H)] * kind.states,
        (T, B, I),
        *[(B, H)] * kind.states,
        *(w.shape for w in weights if w is not None),
    ]
    values, results, at = np.frombuffer(done.stdout, np.float32), [], 0
    for shape in shapes:
        size = int(np.prod(shape))
        results.append(values[at : at + size].reshape(shape))
        at += size
    assert at == len(values)
    return digest(results), done.stderr.decode().strip()


def check(folder: Path, compiler: str, *libraries: str, runs: tuple[str | Path, ...] = ()) -> set[str]:
    """What programs for all cells say of the library, all of whose results are golden. runs: a command that runs a
    program for another machine."""
    program = folder / "program"
    command = [compiler, "-Wall", "-Wextra", "-Werror", f"-I{NATIVE / 'c'}", HERE / "library.c", folder / "libelman.a"]
    built = subprocess.run([*command, *libraries, "-lm", "-o", program], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    said = set()
    for cell in CELLS:
        result, about = run([*runs, program], cell)
        assert result == golden.expected("floats")[f"operations/{cell} real"]
        said.add(about)
    return said


def test_gcc(by_gcc):
    folder = by_gcc
    assert check(folder, "gcc", "-lstdc++", "-pthread") == {f"{__version__} portable 3"}
    symbols = subprocess.run(
        [tool("nm"), "-D", "--defined-only", folder / "libelman.so"], capture_output=True, text=True
    )
    ours = {line.split()[-1] for line in symbols.stdout.splitlines() if " T " in line}
    assert {name for name in ours if name.startswith("elman_")} >= {"elman_abi", "elman_forward", "elman_backward"}


def containers() -> Iterator[tuple[str, Model]]:
    """A model of every kind that a container holds."""
    text = str(elman.load_corpus("traveller", max_chars=3_000).text)
    for cell, layers, embedding in (("gru", 1, None), ("lstm", 2, 5), ("rnn_relu", 2, None), ("rnn_tanh", 1, 3)):
        settings: dict[str, Any] = {"cell": cell, "num_layers": layers} | (
            {"embedding_size": embedding} if embedding else {}
        )
        model = elman.build_model(
            elman.Corpus("t", text, "none", "here"), hidden_size=21, init_std=None, seed=5, **settings
        )
        yield f"{cell} of floats", model
        for bits in (8, 6, 5, 4):
            yield f"{cell} of {bits} bits", elman.quantise(model, bits=bits, text=text)


def test_the_example_has_the_bits_of_python(by_gcc, tmp_path):
    text, path = "the traveller came é back", tmp_path / "container"
    for name, model in containers():
        path.write_bytes(to_plain(model))
        commands = ("score", "write", "next", "code")
        runs = [subprocess.run([by_gcc / "example", path, c, text], capture_output=True, text=True) for c in commands]
        assert [done.returncode for done in runs] == [0, 0, 0, 0], (name, runs)
        score, written, following, coded = (done.stdout for done in runs)
        assert coded == f"{Codec(model).encode(text.encode()).hex()}\n{text}\n"
        ids = model.reading.prompt(text)
        _, nats, _ = model.loss(model.reading.primed(ids)[:-1, None], ids[:, None])
        lines = score.splitlines()
        assert [float.fromhex(line) for line in lines[:-1]] == nats[:, 0].astype(np.float64).tolist(), name
        assert lines[-1] == f"{elman.score(model, text).bits:.4f} bits"
        assert written == elman.generate(model, text, 200, seed=7), name
        logits, _ = model(model.reading.primed(ids)[:, None])
        weights = likelihood.weights(logits[-1, 0]).astype(np.float64)
        likely = np.argsort(-weights, kind="stable")[:5]
        assert [float(line.rsplit(" ", 1)[1]) for line in following.splitlines()] == [
            weights[v] / weights.sum() for v in likely
        ], name


RECIPES: dict[str, dict[str, Any]] = {
    "book": {},
    "modern": {},
    "rnn_tanh": {"cell": "rnn_tanh", "num_layers": 2, "embedding_size": 7, "dropout": 0.3, "hidden_dropout": 0.2},
    "lstm": {
        **{"cell": "lstm", "num_layers": 2, "init_std": None, "optimizer": "adamw", "weight_decay": 0.1, "lr": 0.01},
        **{"schedule": "cosine", "warmup": 5, "weight_dropout": 0.2, "average": 0.9},
    },
}


@pytest.mark.parametrize("name", RECIPES)
def test_training_has_the_bits_of_python(by_gcc, name):
    corpus = elman.load_corpus("traveller", max_chars=1_500)
    common = {"hidden_size": 19, "batch_size": 5, "seq_length": 11, "epochs": 2, "val_fraction": 0.0, "prompts": ()}
    recipe = elman.load_recipe(name if name == "modern" else "book").replace(**common | RECIPES[name])
    model = elman.build_model(corpus, recipe)
    run = elman.fit(model, corpus, recipe)
    weights, container, losses = CTrainer(by_gcc / "libelman.so").train(corpus, recipe)
    for ours, theirs in zip(model.network.weights(), weights, strict=True):
        np.testing.assert_array_equal(ours.reshape(-1), theirs)
    assert container == to_plain(model)
    assert np.exp(np.mean(losses[len(losses) // 2 :])) == pytest.approx(run.log[-1].train_perplexity, rel=1e-6)


def test_what_training_refuses(by_gcc):
    trainer = CTrainer(by_gcc / "libelman.so")
    shapes: list[tuple[dict[str, int], str]] = [
        ({"cell": 4}, "cell must be in 0..3"),
        ({"hidden": 0}, "a size of the shape is out of range"),
        ({"hidden": 65_536, "vocab": 1 << 24}, "more than 2^31 weights"),
    ]
    for change, text in shapes:
        assert not trainer.new(**change)
        assert text in trainer.error()
    steps: list[tuple[dict[str, Any], str]] = [
        ({"ids": [[9]]}, "token ids must be in 0..4, got 9 at position 0"),
        ({"targets": [[-2]]}, "targets must be in -1..4, got -2 at position 0"),
        ({"fresh": 0}, "begin with fresh"),
        ({"lr": float("nan")}, "lr, clip and weight_decay must be numbers"),
        ({"output_dropout": 1.0}, "must be shares"),
        ({"optimizer": 3}, "optimizer must be in 0..2"),
        ({"lr": 1e300, "clip": 0.0, "steps": 3}, "training diverged"),
    ]
    for change, text in steps:
        assert trainer.steps_fail(**change), change
        assert text in trainer.error()


def test_messages_have_the_codes_of_python(by_gcc):
    text = str(elman.load_corpus("traveller", max_chars=3_000, normalisation="none").text)
    settings: dict[str, Any] = {"cell": "gru", "hidden_size": 16, "init_std": None}
    characters, octets = (
        elman.build_model(elman.Corpus("t", t, "none", "h"), **settings) for t in (text, text.encode())
    )
    past = b"See you at six.\nThe rain came.\n"
    words = elman.build_model(elman.Corpus("t", text, "none", "h").cut_into("bpe:280"), **settings)
    floats = characters, octets, words
    for model in (None, *floats, *map(elman.quantise, floats)):
        codec, expected = CCodec(by_gcc / "libelman.so", model, past), Codec(model, past)
        for message in (b"See you at the station.", "Grüße\nan é".encode(), b"", bytes(range(256))):
            code = codec.encode(message)
            assert code == expected.encode(message)
            assert code is not None
            assert codec.decode(code, 300) == message
            if message:
                assert codec.decode(code, len(message) - 1) is None
                assert "no code of a message of at most" in codec.error()
        codec.close()


PROJECT = """
cmake_minimum_required(VERSION 3.18...3.31)
project(user LANGUAGES C)
find_package(elman {version} CONFIG REQUIRED)
add_executable(default "{source}")
target_link_libraries(default elman::elman)
add_executable(static "{source}")
target_link_libraries(static elman::elman_static)
"""


def succeeds(*command: object, **environment: str) -> str:
    done = subprocess.run(list(map(str, command)), env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def check_packages(built: Path, folder: Path, compiler: str) -> None:
    """What pkg-config and CMake find after an installation that was moved: their programs write what Python writes."""
    folder.mkdir()
    succeeds("cmake", "--install", built, "--prefix", folder / "first")
    prefix, source = (folder / "first").rename(folder / "the prefix"), NATIVE / "c" / "example.c"
    shared = (prefix / "lib" / "libelman.so").exists()
    programs = {}
    if shutil.which("pkg-config"):
        path = str(prefix / "lib" / "pkgconfig")
        assert succeeds("pkg-config", "--modversion", "elman", PKG_CONFIG_PATH=path).strip() == __version__
        for kind in ["--shared", "--static"] if shared else ["--static"]:
            options = ["--libs"] if kind == "--shared" else ["--libs", "--static"]
            flags = shlex.split(succeeds("pkg-config", "--cflags", *options, "elman", PKG_CONFIG_PATH=path))
            alone = ["-static"] if kind == "--static" and shared else []
            succeeds(compiler, source, *flags, "-lm", *alone, "-o", folder / kind)
            programs[folder / kind] = str(prefix / "lib")
    project = folder / "CMakeLists.txt"
    project.write_text(PROJECT.format(version=__version__, source=source))
    configure = ["cmake", "-S", folder, "-B", folder / "build", f"-DCMAKE_PREFIX_PATH={prefix}"]
    succeeds(*configure, CC=compiler)
    succeeds("cmake", "--build", folder / "build")
    programs |= {folder / "build" / name: "" for name in ("default", "static")}

    name, model = next(containers())
    (folder / "container").write_bytes(to_plain(model))
    expected = elman.generate(model, "the traveller", 200, seed=7)
    for program, libraries in programs.items():
        wrote = succeeds(program, folder / "container", "write", "the traveller", LD_LIBRARY_PATH=libraries)
        assert wrote == expected, (program, name)
    project.write_text(PROJECT.format(version="99.0", source=source))
    refused = subprocess.run(configure, capture_output=True, text=True)
    assert refused.returncode != 0
    assert "99.0" in refused.stderr


def test_pkg_config_and_cmake_find_it(by_gcc, tmp_path):
    check_packages(by_gcc, tmp_path / "installed", "gcc")


def test_damaged_containers(by_gcc, tmp_path):
    """`make damage` opens 100,000 of them."""
    for i, (name, model) in enumerate(containers()):
        path = tmp_path / "container"
        path.write_bytes(to_plain(model))
        count = os.environ.get("ELMAN_DAMAGED", "100")
        done = subprocess.run([by_gcc / "damage", path, str(i), count], capture_output=True, text=True)
        assert done.returncode == 0, (name, done.stderr)
        opened, refused = map(int, done.stdout.split())
        assert opened + refused == int(count)
        assert refused > int(count) // 20


def test_clang_with_its_own_library_and_no_threads(tmp_path):
    if not list(Path("/usr/lib").glob("**/libc++.so")):
        pytest.skip("libc++ is not installed")
    options = ("-DELMAN_NO_THREADS=ON", "-DCMAKE_CXX_FLAGS=-stdlib=libc++", "-DBUILD_SHARED_LIBS=OFF")
    folder = library(tmp_path, {"CC": tool("clang"), "CXX": tool("clang++")}, *options)
    assert check(folder, "clang", "-lc++", "-lc++abi") == {f"{__version__} portable 1"}
    check_packages(folder, tmp_path / "installed", "clang")


ZIG = os.environ.get("ELMAN_ZIG", "")
in_minutes = pytest.mark.skipif(not ZIG, reason="it takes Zig and minutes: make test-compilers")


@in_minutes
def test_clang(tmp_path):
    folder = library(tmp_path, {"CC": tool("clang"), "CXX": tool("clang++")})
    assert check(folder, "clang", "-lstdc++", "-pthread") == {f"{__version__} portable 3"}


WASI = """
import { readFileSync } from "node:fs";
import { WASI } from "node:wasi";
const [path, ...rest] = process.argv.slice(2);
const wasi = new WASI({ version: "preview1", args: ["program", ...rest], preopens: { "/": "/" } });
const { instance } = await WebAssembly.instantiate(readFileSync(path), wasi.getImportObject());
process.exitCode = wasi.start(instance);
"""


@in_minutes
@pytest.mark.parametrize("target", ["native", "wasm32-wasi"])
def test_zig(tmp_path, target):
    """For this machine with threads, and for WebAssembly without."""
    wasm, tools = target != "native", {}
    for name in ("cc", "c++", "ar", "ranlib"):
        tools[name] = tmp_path / f"zig-{name}"
        aimed = f" -target {target}" if wasm and name.startswith("c") else ""
        tools[name].write_text(f'#!/bin/sh\nexec {ZIG} {name}{aimed} "$@"\n')
        tools[name].chmod(0o755)
    options = [f"-DCMAKE_AR={tools['ar']}", f"-DCMAKE_RANLIB={tools['ranlib']}", "-DBUILD_SHARED_LIBS=OFF"]
    if wasm:
        options += ["-DCMAKE_SYSTEM_NAME=Generic", "-DCMAKE_SYSTEM_PROCESSOR=wasm32", "-DELMAN_NO_THREADS=ON"]
    folder = library(tmp_path / "built", {"CC": str(tools["cc"]), "CXX": str(tools["c++"])}, *options)
    runs: tuple[str | Path, ...] = ()
    if wasm:
        (tmp_path / "run.mjs").write_text(WASI)
        runs = (tool("node"), "--no-warnings", tmp_path / "run.mjs")
    libraries = ("-lc++",) if wasm else ("-lc++", "-pthread")
    assert check(folder, str(tools["cc"]), *libraries, runs=runs) == {f"{__version__} portable {1 if wasm else 3}"}

    name, model = next(containers())
    (tmp_path / "container").write_bytes(to_plain(model))
    command = [tools["cc"], f"-I{NATIVE / 'c'}", NATIVE / "c" / "example.c", folder / "libelman.a", *libraries]
    succeeds(*command, "-lm", "-o", tmp_path / "example")
    wrote = succeeds(*runs, tmp_path / "example", tmp_path / "container", "write", "the traveller")
    assert wrote == elman.generate(model, "the traveller", 200, seed=7), name
