"""Valid, unique and new molecules among those that a small model writes: python benchmarks/molecules.py

The list is the one of docs/how-to/molecules.md, and so are the settings of the training, but for the epochs. 1,000
records are written without any check. RDKit says which are molecules (valid); of these, those that differ as canonical
SMILES are unique, and of the unique ones those that the list lacks are new. Seconds are CPU time of the training.
The network that REINVENT 4 makes by default, a GRU of 3 x 512 over an embedding of 256, is counted beside. Writes
results/molecules.csv. Needs rdkit.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("ELMAN_THREADS", "1")
from harness import machine, write
from rdkit import Chem, RDLogger  # type: ignore[import-not-found]

import elman

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "molecules.md"
COUNT = 1000


def listed() -> str:
    """The page's list of molecules."""
    page = PAGE.read_text("utf-8")
    (program,) = re.findall(r'python3 -c "(.*?)" > molecules.txt', page, re.S)
    done = subprocess.run(
        [sys.executable, "-c", program.replace("\\\n", "")], capture_output=True, text=True, check=True
    )
    return done.stdout


def canonical(lines: list[str]) -> list[str]:
    """The canonical SMILES of those that are molecules."""
    molecules = [Chem.MolFromSmiles(line) for line in lines if line]
    return [Chem.MolToSmiles(molecule) for molecule in molecules if molecule is not None]


def trained(epochs: int, text: Path, run: Path) -> float:
    """CPU seconds of a training."""
    (command,) = re.findall(r"\$ elman train (.*) --epochs", PAGE.read_text("utf-8"))
    split = re.findall(r"--split '(.*?)'", command)[0]
    options = command.split("'")[-1].split()
    elman_ = shutil.which("elman", path=str(Path(sys.executable).parent)) or "elman"
    before = os.times()
    arguments = [
        "train",
        str(text),
        "--records",
        "--split",
        split,
        *options,
        "--epochs",
        str(epochs),
        "--output",
        str(run),
    ]
    subprocess.run([elman_, *arguments], check=True, capture_output=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def reinvent(vocabulary: int) -> int:
    """Parameters of a GRU of 3 x 512 with an embedding of 256."""
    H, E = 512, 256
    return vocabulary * E + sum(3 * H * (read + H + 2) for read in (E, H, H)) + vocabulary * (H + 1)


def main() -> None:
    RDLogger.DisableLog("rdApp.*")
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "molecules.txt"
        text.write_text(listed(), "utf-8")
        known = set(canonical(text.read_text("utf-8").split("\n")))
        for epochs in (5, 20):
            seconds = trained(epochs, text, Path(folder) / str(epochs))
            model = elman.load(Path(folder) / str(epochs))
            start = time.process_time()
            valid = canonical(elman.generate(model, "", 200, num_samples=COUNT))
            writing = time.process_time() - start
            unique = set(valid)
            parameters = sum(array.size for array in model.parameters())
            rows.append(
                {
                    "epochs": epochs,
                    "parameters": parameters,
                    "valid": f"{len(valid) / COUNT:.3f}",
                    "unique_of_valid": f"{len(unique) / len(valid):.3f}",
                    "new_of_unique": f"{len(unique - known) / len(unique):.3f}",
                    "training_cpu_seconds": f"{seconds:.1f}",
                    "records_per_cpu_second": round(COUNT / writing),
                    "reinvent_parameters": reinvent(40),
                    **machine(),
                }
            )
            print(rows[-1], flush=True)
    write("molecules", rows)


if __name__ == "__main__":
    main()
