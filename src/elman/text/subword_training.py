"""Training subwords, by the library `tokenizers`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain

from ..errors import InputError
from .long_tokens import AT_ONCE
from .normalisation import chunks
from .subwords import Subwords, from_pairs, word_lists


def train_subwords(texts: Iterable[str | bytes], size: int) -> Subwords:
    """The BPE of at most `size` entries whose merges are, one after another, the commonest pair within words of the
    texts; ties: lowest ids first.

    Raises:
        InputError: `tokenizers` is not installed.
    """
    try:
        from tokenizers import Regex, Tokenizer
        from tokenizers.models import BPE
        from tokenizers.pre_tokenizers import Split
        from tokenizers.trainers import BpeTrainer
    except ModuleNotFoundError:
        raise InputError("to train subwords takes the library tokenizers; pip install 'elman[bpe]'") from None
    # The library's characters are our bytes, and its words are ours: lines, for no word but the line end has one.
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = Split(Regex("\n"), "removed")  # type: ignore[assignment]
    parts = chain.from_iterable(chunks(text) if isinstance(text, str) else [text] for text in texts)
    lines = (
        "\n".join(words[i : i + AT_ONCE]).encode("utf-8", "surrogateescape").decode("latin-1")
        for words in word_lists(parts)
        for i in range(0, len(words), AT_ONCE)  # the library holds a few hundred of these
    )
    trainer = BpeTrainer(vocab_size=size, initial_alphabet=[chr(byte) for byte in range(256)], show_progress=False)  # type: ignore[call-arg]
    with _one_thread():
        tokenizer.train_from_iterator(lines, trainer)
    merges = [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]
    return from_pairs([(a.encode("latin-1"), b.encode("latin-1")) for a, b in merges])


@contextmanager
def _one_thread() -> Iterator[None]:
    """The library's own threads would outlive the call, and it warns when a process that has them forks."""
    name = "TOKENIZERS_PARALLELISM"
    before = os.environ.get(name)
    os.environ[name] = "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
