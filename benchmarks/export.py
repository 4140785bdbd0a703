"""What an exported model weighs and how fast it runs: as C under emulation, as WebAssembly in Node, in ONNX Runtime.

    python benchmarks/export.py                 # a GRU 1 x 64 trained for a moment on the bundled story

Instructions are counted by qemu (SysTick under -icount shift=0); characters a second are CPU time of one process. What
is not installed is left out, with a line that says so. Writes results/export.csv; `python benchmarks/table.py` makes
the tables in docs/reference/exports.md of it.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from harness import machine, write

import elman
from elman.export import to_c, to_html, to_js, to_onnx, to_plain

ROOT = Path(__file__).parents[1]
Row = tuple[str, str, float, str]
BOARDS = {
    "Cortex-M0+": "-mcpu=cortex-m0plus -mfloat-abi=soft",
    "Cortex-M4": "-mcpu=cortex-m4 -mfloat-abi=soft",
    "Cortex-M4F": "-mcpu=cortex-m4 -mfloat-abi=hard -mfpu=fpv4-sp-d16",
}
NODE = """
import { load } from "./index.js";
const model = await load(), count = 20000;
const spent = (job) => {
  const from = process.cpuUsage();
  job();
  const { user, system } = process.cpuUsage(from);
  return (user + system) / 1e6;
};
const text = model.generate("", { length: count, seed: 7 }), again = { length: count, seed: 8 };
console.log(count / spent(() => model.generate("", again)), text.length / spent(() => model.score(text)));
"""


def missing(*tools: str) -> bool:
    absent = [tool for tool in tools if shutil.which(tool) is None]
    if absent:
        print(f"left out: {', '.join(absent)} is not installed")
    return bool(absent)


def ram(folder: Path, common: list[Any]) -> int:
    """Bytes of a text's state and of the logits."""
    (folder / "ram.c").write_text('#include "m.h"\nm_state state;\nfloat logits[m_V];\n')
    subprocess.run([*common, "-c", folder / "ram.c", "-o", folder / "ram.o"], check=True)
    size = subprocess.run(["arm-none-eabi-size", folder / "ram.o"], capture_output=True, text=True, check=True)
    return int(size.stdout.split()[8])


def boards(model: elman.QuantisedModel, folder: Path, rows: list[Row]) -> None:
    """Flash and RAM in bytes, and instructions a character: read, logits, draw and choose."""
    if missing("arm-none-eabi-gcc", "qemu-system-arm"):
        return
    for choice in ("floats", "integers"):
        for name, text in zip(("m.c", "m.h"), to_c(model, "m", choice), strict=True):
            (folder / name).write_text(text)
        for board, flags in BOARDS.items():
            common = ["arm-none-eabi-gcc", "-std=c99", "-Os", "-mthumb", *flags.split(), f"-I{folder}"]
            subprocess.run([*common, "-c", folder / "m.c", "-o", folder / "m.o"], check=True)
            size = subprocess.run(["arm-none-eabi-size", folder / "m.o"], capture_output=True, text=True, check=True)
            board_c, script = ROOT / "tests/export/board.c", ROOT / "tests/export/board.ld"
            program = folder / "m.elf"
            linked = ["-nostartfiles", "-T", script, "--specs=nosys.specs", "-o", program]
            subprocess.run([*common, "-DCOUNT=100", folder / "m.c", board_c, *linked], check=True)
            run = ["qemu-system-arm", "-M", "mps2-an386", "-nographic", "-icount", "shift=0", "-kernel", program]
            run += ["-semihosting-config", "enable=on,target=native"]
            done = subprocess.run(run, capture_output=True, stdin=subprocess.DEVNULL)
            logits, chosen, read = map(int, (done.stdout + done.stderr).decode().rpartition("@")[2].split())
            if choice == "floats":
                rows.append(("flash without libgcc", board, int(size.stdout.split()[6]), "bytes"))
                rows.append(("RAM: state and logits", board, ram(folder, common), "bytes"))
                rows.append(("instructions a character: read", board, read, ""))
                rows.append(("instructions a character: logits", board, logits, ""))
            rows.append((f"instructions a character: choice {choice}", board, chosen, ""))


def node(model: elman.QuantisedModel, folder: Path, rows: list[Row]) -> None:
    if missing("node"):
        return
    for name, data in to_js(model, "story").items():
        (folder / name).write_bytes(data)
    (folder / "run.mjs").write_text(NODE)
    done = subprocess.run(["node", "run.mjs"], cwd=folder, capture_output=True, text=True, check=True)
    written, scored = map(float, done.stdout.split())
    rows.append(("characters written", "Node", written, "a CPU second"))
    rows.append(("characters scored", "Node", scored, "a CPU second"))
    size = sum(map(len, to_js(model, "story").values())) - len(to_plain(model))
    rows.append(("size without a model", "npm package", size, "bytes"))


def onnx(model: elman.LanguageModel, rows: list[Row]) -> None:
    try:
        import onnxruntime
    except ImportError:
        print("left out: onnxruntime is not installed")
        return
    data = to_onnx(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options)
    ids: Any = np.random.default_rng(1).integers(0, model.vocab_size, (500, 1))
    state = np.zeros((model.num_layers, 1, model.hidden_size), np.float32)
    expected, worst, from_ = model(ids)[0], 0.0, time.process_time()
    for t in range(len(ids)):
        logits, state = session.run(None, {"ids": ids[t : t + 1], "h": state})
        worst = max(worst, float(np.abs(logits[0] - expected[t]).max()))
    spent = time.process_time() - from_
    rows.append(("steps", "ONNX Runtime", len(ids) / spent, "a CPU second"))
    rows.append(("size of floats", "ONNX Runtime", len(data), "bytes"))
    rows.append(("largest difference of logits", "ONNX Runtime", worst, ""))


def main() -> None:
    corpus = elman.load_corpus("traveller", normalisation="none")
    recipe = elman.load_recipe("modern").replace(cell="gru", hidden_size=64, epochs=3)
    model = elman.build_model(corpus, recipe)
    elman.fit(model, corpus, recipe)
    small, rows = elman.quantise(model), list[Row]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        elman.save(small, folder / "int8.safetensors")
        page, file = len(to_html(small).encode()), (folder / "int8.safetensors").stat().st_size
        rows += [("size", "int8 file", file, "bytes"), ("size", "page", page, "bytes")]
        boards(small, folder, rows)
        node(small, folder, rows)
    onnx(model, rows)
    named: list[dict[str, object]] = [
        {"what": what, "where": where, "value": f"{value:.6g}", "unit": unit, **machine()}
        for what, where, value, unit in rows
    ]
    for row in named:
        print(*list(row.values())[:4], sep="\t")
    write("export", named)


if __name__ == "__main__":
    main()
