"""Real clients against a server of this package: `make test-clients`. Each is installed apart from the project.

    python tests/clients/run.py FOLDER [openai llm lm_eval]

FOLDER has an environment with the clients. What is compared: what they read with what the library itself gives.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import elman

HERE = Path(__file__).parent
LINES = [
    "It was the best of times, it was the worst of times.",
    "The captain went down to the sea, and said nothing.",
    "Caf\u00e9 and na\u00efve words have bytes beyond ASCII.",
    "She looked at him for a long time before she spoke.",
]


def server() -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-m", "elman.cli", "serve", "english", "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "serving at" in line:
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return process, line.rsplit(" ", 1)[1].strip()
    raise SystemExit("the server did not start")


def with_openai(folder: Path, base: str) -> None:
    """Its own program writes what the client read as JSON; what is expected is made here."""
    found = run(folder / "bin" / "python", HERE / "with_openai.py", base)
    read = json.loads(found)
    model = elman.load("english")
    settings = {"temperature": 0.7, "top_p": 0.9, "top_k": 20, "min_p": 0.01, "repetition_penalty": 1.1}
    settings |= {"presence_penalty": 0.2, "frequency_penalty": 0.1, "seed": 5}
    want = elman.generate(model, "The ", 40, **settings)  # type: ignore[arg-type]
    assert read["whole"] == read["streamed"] == want, read
    assert read["usage"] == [4, 40, 44]
    assert read["last chunk"] == [0, 44]
    assert read["many"] == [t for ts in elman.generate(model, ["The ", "A "], 9, seed=1, num_samples=2) for t in ts]
    costs = elman.score(model, LINES[2]).surprisal * math.log(2)
    assert read["echo"][0] is None
    assert all(abs(a + b) < 1e-6 for a, b in zip(read["echo"][1:], costs[1:], strict=True))
    assert read["chat"] == elman.generate(model, "Hello", 20, seed=2)
    assert read["models"] == ["english"]
    assert "suffix is not supported" in read["refused"]
    assert read["stop"] == elman.generate(model, "The ", 200, seed=1, stop=[" the", "q"])
    print("openai: every field, streamed and not")


def with_llm(folder: Path, base: str) -> None:
    with tempfile.TemporaryDirectory() as home:
        entry = f"- model_id: elman\n  model_name: english\n  api_base: {base}/v1\n  completion: true\n"
        Path(home, "extra-openai-models.yaml").write_text(entry)
        options = ["-m", "elman", "-o", "max_tokens", "30", "-o", "seed", "3", "-o", "temperature", "1", "--key", "x"]
        for more in ([], ["--no-stream"]):
            found = run(folder / "bin" / "llm", "prompt", "The ", *options, *more, LLM_USER_PATH=home)
            assert found == elman.generate(elman.load("english"), "The ", 30, seed=3) + "\n", found
    print("llm: streamed and not")


def with_lm_eval(folder: Path, base: str) -> None:
    """Log-likelihoods, rolling ones and generation on tasks of ours; the tokenizer is the server's."""
    model = elman.load("english")
    with tempfile.TemporaryDirectory() as place:
        tasks = Path(place)
        rows = [{"text": line, "begin": line[:20], "rest": line[20:], "wrong": line[20:][::-1]} for line in LINES]
        (tasks / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        head = f"dataset_path: json\ndataset_kwargs: {{data_files: {{test: {tasks}/rows.jsonl}}}}\ntest_split: test\n"
        (tasks / "rolling.yaml").write_text(
            head + "task: elman_rolling\noutput_type: loglikelihood_rolling\ndoc_to_text: ''\n"
            "doc_to_target: '{{text}}'\nmetric_list: [{metric: byte_perplexity}]\n"
        )
        (tasks / "choice.yaml").write_text(
            head + "task: elman_choice\noutput_type: multiple_choice\ndoc_to_text: '{{begin}}'\n"
            "doc_to_choice: '{{[rest, wrong]}}'\ndoc_to_target: 0\ntarget_delimiter: ''\n"
            "metric_list: [{metric: acc}]\n"
        )
        (tasks / "until.yaml").write_text(
            head
            + "task: elman_until\noutput_type: generate_until\ndoc_to_text: '{{begin}}'\ndoc_to_target: '{{rest}}'\n"
            "generation_kwargs: {until: ['\\n', '.'], max_gen_toks: 60, temperature: 0}\n"
            "metric_list: [{metric: exact_match}]\n"
        )
        arguments = f"base_url={base}/v1/completions,model=english,max_length=100000,num_concurrent=4"
        run(
            folder / "bin" / "python", "-m", "lm_eval", "--model", "local-completions", "--model_args", arguments,
            "--tasks", "elman_rolling,elman_choice,elman_until", "--include_path", place, "--output_path", place,
            "--log_samples", OPENAI_API_KEY="", HF_HOME=place, HF_DATASETS_OFFLINE="1",
        )  # fmt: skip
        samples = {
            path.name.split("_")[2]: [json.loads(line) for line in path.read_text().splitlines()]
            for path in tasks.rglob("samples_elman_*.jsonl")
        }
    for sample in samples["rolling"]:
        got = float(sample["resps"][0][0][0] if isinstance(sample["resps"][0][0], list) else sample["resps"][0][0])
        want = -elman.score(model, sample["doc"]["text"]).bits * math.log(2)
        assert abs(got - want) < 1e-6 * abs(want), (got, want)
    for sample in samples["choice"]:
        for response, rest in zip(sample["resps"], (sample["doc"]["rest"], sample["doc"]["wrong"]), strict=True):
            begin = sample["doc"]["begin"]
            costs = elman.score(model, begin + rest).surprisal[len(model.reading.prompt(begin)) :]
            want = -math.fsum(costs) * math.log(2)
            assert abs(float(response[0][0]) - want) < 1e-6 * abs(want), (sample, want)
    for sample in samples["until"]:
        want = elman.generate(model, sample["doc"]["begin"], 60, temperature=0, stop=["\n", "."])
        assert sample["resps"][0][0] == want, (sample["resps"], want)
    print("lm-evaluation-harness: log-likelihood, rolling, generation")


def run(*command: object, **env: str) -> str:
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, env={**os.environ, **env}, check=False
    )
    if done.returncode:
        raise SystemExit(f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


def main() -> None:
    folder, names = Path(sys.argv[1]).absolute(), sys.argv[2:] or ["openai", "llm", "lm_eval"]
    process, base = server()
    try:
        for name in names:
            globals()[f"with_{name}"](folder, base)
    finally:
        process.terminate()
        assert process.wait(60) == 0


if __name__ == "__main__":
    main()
