"""libelman, the kernel without Python, exceptions and, where asked, threads: a program in C runs a layer with it, and
has the golden digest, whatever compiled it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drivers import EXACT, HERE, NATIVE, needs_source, tool

import elman
from elman import __version__, golden
from elman.export import to_plain
from elman.golden.inputs import digest, layer_inputs
from elman.kernels import CELLS, likelihood
from elman.model import Model

pytestmark = needs_source
SIZES = {"T": 7, "B": 5, "I": 13, "H": 37}


def run(program: Path, cell: str) -> tuple[str, str]:
    """The digest of the layer's results, and what the program says of the library."""
    kind, (T, B, I, H) = CELLS[cell], SIZES.values()  # noqa: E741 (I is the size of the input)
    x, state, weights, cotangents = layer_inputs(cell, **SIZES)  # type: ignore
    given = b"".join(np.ascontiguousarray(a).tobytes() for a in (x, *state, *weights, *cotangents) if a is not None)
    command = [program, *map(str, (kind.code, T, B, I, H))]
    environment = {name: value for name, value in os.environ.items() if name != "ELMAN_ISA"}
    done = subprocess.run(command, input=given, capture_output=True, timeout=300, env=environment)
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


def library(folder: Path, compilers: dict[str, str], *options: str) -> Path:
    """Built by CMake: the folder that has it."""
    tool("cmake")
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    flags = ["-DCMAKE_BUILD_TYPE=Release", "-DELMAN_PORTABLE_ONLY=ON", *options]
    for command in (
        ["cmake", "-S", NATIVE / "c", "-B", folder, *generator, *flags],
        ["cmake", "--build", folder, "--parallel", "2"],
    ):
        done = subprocess.run(command, env=os.environ | compilers, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


def check(folder: Path, compiler: str, *libraries: str) -> set[str]:
    """What programs for all cells say of the library, all of whose results are golden."""
    program = folder / "program"
    command = [compiler, "-Wall", "-Wextra", "-Werror", f"-I{NATIVE / 'c'}", HERE / "library.c", folder / "libelman.a"]
    built = subprocess.run([*command, *libraries, "-lm", "-pthread", "-o", program], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    said = set()
    for cell in CELLS:
        result, about = run(program, cell)
        assert result == golden.expected("floats")[f"operations/{cell} real"]
        said.add(about)
    return said


@pytest.fixture(scope="module")
def by_gcc(tmp_path_factory):
    """The library, built by GCC, and beside it the example and the program that opens damaged containers."""
    folder = library(tmp_path_factory.mktemp("library"), {"CC": tool("gcc"), "CXX": tool("g++")})
    sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g"]
    common = ["-O1", "-Wall", "-Wextra", "-Werror", f"-I{NATIVE / 'c'}"]
    border = [NATIVE / "c" / f"{name}.cpp" for name in ("elman", "model", "container")]
    cpp = ["-std=c++17", "-fno-exceptions", *EXACT, '-DELMAN_VERSION="0"']
    jobs = [
        ["gcc", "-std=c99", "-pedantic", *common, NATIVE / "c" / "example.c", folder / "libelman.a", "-lstdc++", "-lm"],
        ["g++", *cpp, *common, *sanitize, HERE / "damage.cpp", *border, folder / "libelman.a"],
    ]
    for name, job in zip(("example", "damage"), jobs, strict=True):
        done = subprocess.run([*job, "-pthread", "-o", folder / name], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return folder


def test_gcc(by_gcc):
    folder = by_gcc
    assert check(folder, "gcc", "-lstdc++") == {f"{__version__} portable 3"}
    symbols = subprocess.run(
        [tool("nm"), "-D", "--defined-only", folder / "libelman.so"], capture_output=True, text=True
    )
    ours = {line.split()[-1] for line in symbols.stdout.splitlines() if " T " in line}
    assert {name for name in ours if name.startswith("elman_")} >= {"elman_abi", "elman_forward", "elman_backward"}


def containers() -> dict[str, Model]:
    """A model of every kind that a container holds."""
    text = str(elman.load_corpus("traveller", max_chars=3_000).text)
    made: dict[str, Model] = {}
    for cell, layers, embedding in (("gru", 1, None), ("lstm", 2, 5), ("rnn_relu", 2, None), ("rnn_tanh", 1, 3)):
        settings: dict[str, Any] = {"cell": cell, "num_layers": layers} | (
            {"embedding_size": embedding} if embedding else {}
        )
        model = elman.build_model(
            elman.Corpus("t", text, "none", "here"), hidden_size=21, init_std=None, seed=5, **settings
        )
        made[f"{cell} of floats"] = model
        for bits in (8, 6, 5, 4):
            made[f"{cell} of {bits} bits"] = elman.quantise(model, bits=bits, text=text)
    return made


def test_the_example_has_the_bits_of_python(by_gcc, tmp_path):
    text, path = "the traveller came é back", tmp_path / "container"
    for name, model in containers().items():
        path.write_bytes(to_plain(model))
        commands = ("score", "write", "next")
        runs = [subprocess.run([by_gcc / "example", path, c, text], capture_output=True, text=True) for c in commands]
        assert [done.returncode for done in runs] == [0, 0, 0], (name, runs)
        score, written, following = (done.stdout for done in runs)
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


def test_damaged_containers(by_gcc, tmp_path):
    """`make damage` opens 100,000 of them."""
    for i, (name, model) in enumerate(containers().items()):
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
