"""A server of llama.cpp with a model of about `english`'s size, for `benchmarks/serve.py --peer`.

    python -m venv peer && peer/bin/python -m pip install xllamacpp gguf
    peer/bin/python benchmarks/serve_llama.py --port 8790

The model is a transformer of 919,424 random weights in 8 bits (Q8_0), four layers of 128 units, whose tokens are bytes:
what it writes is noise, and how long that takes is that of any model of its shape. It serves 64 requests at once, with
one thread for the model.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
from pathlib import Path

import gguf
import numpy as np
import xllamacpp
from gguf import GGMLQuantizationType, GGUFWriter

WIDTH, INNER, LAYERS, HEADS, CONTEXT, SLOTS = 128, 384, 4, 4, 512, 64
TOKENS = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]


def write_model(path: Path) -> None:
    """Write random weights as a GGUF file."""
    draw, file = np.random.default_rng(0), GGUFWriter(path, "llama")
    file.add_context_length(CONTEXT)
    file.add_embedding_length(WIDTH)
    file.add_block_count(LAYERS)
    file.add_feed_forward_length(INNER)
    file.add_head_count(HEADS)
    file.add_head_count_kv(HEADS)
    file.add_layer_norm_rms_eps(1e-5)
    file.add_rope_dimension_count(WIDTH // HEADS)
    file.add_vocab_size(len(TOKENS))
    file.add_tokenizer_model("llama")
    file.add_token_list(TOKENS)
    file.add_token_scores([0.0] * len(TOKENS))
    file.add_token_types([2, 3, 3] + [6] * 256)  # unknown, control, bytes
    file.add_unk_token_id(0)
    file.add_bos_token_id(1)
    file.add_eos_token_id(2)
    file.add_add_space_prefix(False)

    def random(name: str, *shape: int) -> None:
        values = (draw.standard_normal(shape) * 0.05).astype(np.float32)
        packed = gguf.quants.quantize(values, GGMLQuantizationType.Q8_0)
        file.add_tensor(f"{name}.weight", packed, raw_dtype=GGMLQuantizationType.Q8_0)

    def ones(name: str) -> None:
        file.add_tensor(f"{name}.weight", np.ones(WIDTH, np.float32))

    random("token_embd", len(TOKENS), WIDTH)
    random("output", len(TOKENS), WIDTH)
    ones("output_norm")
    for layer in range(LAYERS):
        for norm in ("attn_norm", "ffn_norm"):
            ones(f"blk.{layer}.{norm}")
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            random(f"blk.{layer}.{name}", WIDTH, WIDTH)
        for name, shape in (("gate", (INNER, WIDTH)), ("up", (INNER, WIDTH)), ("down", (WIDTH, INNER))):
            random(f"blk.{layer}.ffn_{name}", *shape)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8790)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "random.gguf")
        write_model(path)
        settings = xllamacpp.CommonParams()
        settings.model.path, settings.port = str(path), options.port
        settings.n_parallel, settings.n_ctx, settings.kv_unified = SLOTS, SLOTS * CONTEXT, False
        settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = options.threads
        settings.n_threads_http, settings.verbosity = SLOTS + 2, 0
        server = xllamacpp.Server(settings)
        print(f"llama.cpp (xllamacpp {xllamacpp.__version__}) at {server.listening_address}, process {os.getpid()}")
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    main()
