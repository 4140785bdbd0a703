"""A model as C99 writes the text of `generate`, to the character, by each compiler and on microcontrollers."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from command_line import PATIENCE
from exported import model, small

import elman
from elman.errors import InputError
from elman.export import arduino_library, to_c

HERE = Path(__file__).parent
WARNINGS = ["-Wall", "-Wextra", "-pedantic", "-Werror"]
CELLS = ("rnn_relu", "rnn_tanh", "gru", "lstm")
SHAPES = [
    *[(cell, layers, bits, None) for cell, layers, bits in itertools.product(CELLS, (1, 2), (8, 4))],
    ("gru", 1, 6, 5),
    ("lstm", 2, 5, 11),
    ("rnn_tanh", 1, 8, 3),
]


def written(folder: Path, quantised, choice: str = "floats") -> None:
    for name, text in zip(("m.c", "m.h"), to_c(quantised, "m", choice), strict=True):
        (folder / name).write_text(text)


def compiled(folder: Path, compiler: str, *flags: str) -> Path:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    program = folder / "program"
    command = [compiler, *flags, *WARNINGS, f"-I{folder}", folder / "m.c", HERE / "host.c", "-o", program]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return program


def text_of(program: Path, prompt: str, count: int) -> bytes:
    done = subprocess.run([program, str(count), "7"], input=prompt.encode(), capture_output=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "flags"), list(zip(SHAPES, itertools.cycle(("-Os", "-O2")))))
def test_5000_characters(tmp_path, shape, flags):
    quantised = small(*shape)
    written(tmp_path, quantised)
    expected = elman.generate(quantised, "the sea", 5000, seed=7, temperature=0.9).encode()
    for compiler, level in (("gcc", flags), ("clang", "-O2" if flags == "-Os" else "-Os")):
        assert text_of(compiled(tmp_path, compiler, "-std=c99", level), "the sea", 5000) == expected, compiler


@pytest.mark.slow
def test_zig(tmp_path):
    zig = os.environ.get("ELMAN_ZIG", "").split()
    if not zig:
        pytest.skip("it takes Zig: make test-wasm")
    quantised = small("lstm", 2, 4)
    written(tmp_path, quantised)
    expected = elman.generate(quantised, "the sea", 2000, seed=7, temperature=0.9).encode()
    assert text_of(compiled(tmp_path, *zig, "cc", "-std=c99", "-Os"), "the sea", 2000) == expected


@pytest.mark.slow
@pytest.mark.parametrize("flags", ["-std=c99 -Os", "-std=gnu11 -O3 -march=native"])
def test_integer_choice(tmp_path, flags):
    quantised = small("gru")
    written(tmp_path, quantised, "integers")
    expected = elman.generate(quantised, "the sea", 2000, seed=7, temperature=0.9, choice="integers").encode()
    assert text_of(compiled(tmp_path, "gcc", *flags.split()), "the sea", 2000) == expected
    assert "double" not in (tmp_path / "m.c").read_text().replace("without doubles", "")


@pytest.mark.slow
def test_a_compiler_that_contracts_changes_nothing(tmp_path):
    quantised = small("gru")
    written(tmp_path, quantised)
    program = compiled(tmp_path, "gcc", "-std=gnu11", "-O3", "-march=native", "-ffp-contract=fast")
    assert text_of(program, "", 5000) == elman.generate(quantised, "", 5000, seed=7, temperature=0.9).encode()


@pytest.mark.slow
def test_bytes(tmp_path):
    quantised = small("gru", tokens="bytes")
    written(tmp_path, quantised)
    got = text_of(compiled(tmp_path, "gcc", "-std=c99", "-O2"), "é", 300)
    assert got.decode("utf-8", "replace") == elman.generate(quantised, "é", 300, seed=7, temperature=0.9)


@pytest.mark.slow
def test_fast_math_is_refused(tmp_path):
    written(tmp_path, small("gru"))
    done = subprocess.run(["gcc", "-ffast-math", "-c", "m.c"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode
    assert "floats must be rounded as IEEE 754 says" in done.stderr


@pytest.mark.slow
def test_self_test_sees_a_wrong_weight(tmp_path):
    written(tmp_path, small("gru"))
    code = (tmp_path / "m.c").read_text()
    start = code.index("w_hh_0[")
    at = code.index("\n", start) + 1
    end = code.index(",", at)
    (tmp_path / "m.c").write_text(f"{code[:at]}{-127 if int(code[at:end]) > 0 else 127}{code[end:]}")
    done = subprocess.run([compiled(tmp_path, "gcc", "-std=c99", "-O2"), "1", "7"], input=b"", capture_output=True)
    assert done.returncode == 1
    assert int(done.stderr.decode().removeprefix("self-test: ")) in range(1, 34)


@pytest.mark.slow
@pytest.mark.parametrize(
    "processor",
    ["cortex-m0plus -mfloat-abi=soft", "cortex-m4 -mfloat-abi=hard -mfpu=fpv4-sp-d16", "cortex-m4 -mfloat-abi=soft"],
)
@pytest.mark.parametrize("choice", ["floats", "integers"])
def test_200_characters_on_a_microcontroller(tmp_path, processor, choice):
    for name in ("arm-none-eabi-gcc", "qemu-system-arm"):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed (make tools)")
    quantised = small("gru")
    written(tmp_path, quantised, choice)
    program = tmp_path / "program.elf"
    flags = f"-std=c99 -Os -DCOUNT=200 -mthumb -mcpu={processor} -ffunction-sections -fdata-sections".split()
    compiler = ["arm-none-eabi-gcc", *flags]
    linked = ["-nostartfiles", "-T", HERE / "board.ld", "--specs=nosys.specs", "-Wl,--gc-sections"]
    built = subprocess.run(
        [*compiler, *WARNINGS, f"-I{tmp_path}", tmp_path / "m.c", HERE / "board.c", "-o", program, *linked],
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    board = ["qemu-system-arm", "-M", "mps2-an386", "-nographic", "-icount", "shift=0"]
    board += ["-semihosting-config", "enable=on,target=native", "-kernel", program]
    done = subprocess.run(board, capture_output=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)
    text, _, counts = (done.stdout + done.stderr).decode().partition("\n@")
    assert text == elman.generate(quantised, "", 200, seed=7, choice=choice)
    assert len(counts.split()) == 3


def test_arduino_layout():
    files = arduino_library(small("gru"), "story")
    assert set(files) == {
        "library.properties",
        "src/story.c",
        "src/story.h",
        "examples/story_writes/story_writes.ino",
    }
    assert "includes=story.h" in files["library.properties"]
    assert "story_begin(&state)" in files["examples/story_writes/story_writes.ino"]
    assert not any("MODEL" in text or "@" in text.replace("@[", "") for text in files.values())


def test_choice_integers_is_what_numpy_says():
    from elman.generation import Sampling
    from elman.generation.choose import choose_word, integer_weights

    logits = np.random.default_rng(3).normal(size=50).astype(np.float32) * 3
    logits[7] = -np.inf
    sampling = Sampling(choice="integers", temperature=0.8)
    w = integer_weights(logits, sampling)
    exact = np.exp((logits.astype(np.float64) - logits.max()) / 0.8)
    assert w[7] == 0
    assert np.abs(w / 2**30 - exact).max() < 1e-6
    for word in (0, 1, 2**63, 2**64 - 1, 12345678901234567890):
        reached, mark = 0, word * int(w.sum()) >> 64
        expected = next(j for j, each in enumerate(w.tolist()) if (reached := reached + each) > mark)
        assert choose_word(logits, sampling, word) == expected
    assert choose_word(logits, Sampling(choice="integers", temperature=0), 5) == int(logits.argmax())
    assert set(np.flatnonzero(integer_weights(logits, Sampling(choice="integers", top_k=3)))) == set(
        np.argsort(-logits)[:3]
    )


@pytest.mark.parametrize(("name", "choice"), [("9a", "floats"), ("a-b", "floats"), ("a", "none"), ("", "floats")])
def test_refused(name, choice):
    with pytest.raises(InputError, match=r"name is|choice must be"):
        to_c(small("gru"), name, choice)


def test_settings_that_integers_do_not_take():
    with pytest.raises(InputError, match="takes no top_p and no min_p"):
        elman.generate(small("gru"), "", 5, choice="integers", top_p=0.5)


def test_the_command(tmp_path, command):
    path = tmp_path / "model.safetensors"
    elman.save(model("gru"), path)
    out = tmp_path / "gru.c"
    assert command("export", "c", path, "-o", out).splitlines()[0].startswith(f"{out}: ")
    code, header = to_c(elman.quantise(model("gru")), "gru")
    assert out.read_text() == code
    assert (tmp_path / "gru.h").read_text() == header
    with pytest.raises(AssertionError, match="is there already; give another --output, or --overwrite"):
        command("export", "c", path, "-o", out)
    command("export", "c", path, "-o", out, "--overwrite", "--bits", 4)
    assert out.read_text() != code
    with pytest.raises(AssertionError, match=r"does not end with \.c"):
        command("export", "c", path, "-o", tmp_path / "gru.txt")
    command("export", "c", path, "-o", tmp_path / "new" / "story", "--arduino")
    assert (tmp_path / "new" / "story" / "src" / "story.c").exists()
    elman.save(model("rnn_relu"), path, replace=True)
    with pytest.raises(AssertionError, match="run elman quantise"):
        command("export", "c", path, "-o", tmp_path / "relu.c")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["gru.c", "gru.h", "model.safetensors", "new"]


def test_nothing_is_half_written(tmp_path, command):
    path = tmp_path / "model.safetensors"
    elman.save(model("gru"), path)
    (tmp_path / "a.h").mkdir()
    with pytest.raises(AssertionError, match=r"a\.h"):
        command("export", "c", path, "-o", tmp_path / "a.c", "--overwrite")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.h", "model.safetensors"]
