"""What an exported model weighs and how fast it runs: as C under emulation, as WebAssembly in Node, in ONNX Runtime.

    python benchmarks/export.py                 # a GRU 1 x 64 trained for a moment on the bundled story

Instructions are counted by qemu (SysTick under -icount shift=0); characters a second are CPU time of one process. What
is not installed is left out, with a line that says so.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import elman
from elman.export import to_c, to_html, to_js, to_onnx

ROOT = Path(__file__).parents[1]
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


def boards(model: elman.QuantisedModel, folder: Path) -> None:
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
            logits, chosen, read = (done.stdout + done.stderr).decode().rpartition("@")[2].split()
            print(f"{board:11} choice {choice:8} {size.stdout.split()[6]:>8} bytes of flash without libgcc")
            print(f"{'':11} instructions a character: read {read}, logits {logits}, choice {chosen}")


def node(model: elman.QuantisedModel, folder: Path) -> None:
    if missing("node"):
        return
    for name, data in to_js(model, "story").items():
        (folder / name).write_bytes(data)
    (folder / "run.mjs").write_text(NODE)
    done = subprocess.run(["node", "run.mjs"], cwd=folder, capture_output=True, text=True, check=True)
    written, scored = map(float, done.stdout.split())
    print(f"node        {written:,.0f} characters/s written, {scored:,.0f} scored")


def onnx(model: elman.LanguageModel) -> None:
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
    print(f"onnxruntime {len(ids) / spent:,.0f} steps/s, {len(data):,} bytes, logits within {worst:.1e}")


def main() -> None:
    corpus = elman.load_corpus("traveller", normalisation="none")
    recipe = elman.load_recipe("modern").replace(cell="gru", hidden_size=64, epochs=3)
    model = elman.build_model(corpus, recipe)
    elman.fit(model, corpus, recipe)
    small = elman.quantise(model)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        elman.save(small, folder / "int8.safetensors")
        page, file = len(to_html(small).encode()), (folder / "int8.safetensors").stat().st_size
        print(f"gru 1 x 64, V {model.vocab_size}: int8 file {file:,} bytes, page {page:,} bytes")
        boards(small, folder)
        node(small, folder)
    onnx(model)


if __name__ == "__main__":
    main()
