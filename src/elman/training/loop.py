"""fit(): truncated back-propagation through time with a carried state, clipping by the global norm, and the log.

On the CPU with the native kernel a run is a function of (corpus, recipe, seed) alone: the same bits on any processor.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import kernels, philox
from ..corpora import Corpus
from ..errors import InputError, TrainingDiverged
from ..generation import generate
from ..model import LanguageModel, ModelState
from ..scoring import first_rows, perplexity
from .data import Records, Text
from .interrupt import interrupts
from .optimiser import Optimiser
from .recipe import Recipe
from .run import Epoch, Run, Step
from .saver import Saver, is_sound, saved_whatever_happens


def fit(
    model: LanguageModel,
    corpus: Corpus | str,
    recipe: Recipe | None = None,
    *,
    output: str | Path | None = None,
    on_step: Callable[[Step], None] | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    **settings: Any,
) -> Run:
    """Train `model` on `corpus`, in place.

    Args:
        model: its parameters are where training starts from; see LanguageModel.initialise and build_model.
        corpus: from load_corpus, or a str. A model without a vocabulary gets the corpus's.
        recipe: the settings; the book's if None. Those that describe a model (cell, sizes) are not used here.
        output: a folder for model.safetensors and log.jsonl; made if missing. None: nothing is written.
        on_step: called after each step. on_epoch: called after each epoch.
        settings: changes to the recipe, for example epochs=100, lr=0.5.
    Returns:
        a Run: the model, the log, and whether Ctrl-C ended it early (after which the model is saved all the same).
    Raises:
        ValueError: the corpus is too short for one batch, does not fit the vocabulary, or a setting is out of range.
        TrainingDiverged: the loss or gradient is infinite or not a number; says where and what to change.
    Source: Zhang et al., Dive into Deep Learning, "Concise Implementation of Recurrent Neural Networks".
    """
    recipe = (recipe or Recipe()).replace(**settings)
    if isinstance(corpus, str):
        corpus = Corpus(name="text", text=corpus, normalisation="none", source="a string")
    ids = _encode(model, corpus, recipe)
    data = (Records if corpus.records else Text)(model, ids, recipe)
    unknown = model.vocabulary.unknown(ids)  # type: ignore[union-attr]
    run = Run(
        model,
        recipe,
        {
            "name": corpus.name,
            "source": corpus.source,
            "characters": len(ids),
            "unknown": unknown,
        },
    )
    model.check_parameters()
    optimizer, saver = Optimiser(model, recipe), None
    if output is not None:
        run.path = Path(output)
        run.path.mkdir(parents=True, exist_ok=True)
        saver = Saver(run)
    model.layer.dropout_seed, model.layer.dropout_offset = philox.dropout_seed(recipe.seed), 0
    start = time.perf_counter()
    with interrupts() as interrupted, saved_whatever_happens(saver):
        for epoch in range(1, recipe.epochs + 1):
            record = _train_epoch(model, data, recipe, epoch, optimizer, on_step, interrupted, saver)
            if record is None:
                run.interrupted = True
                break
            if not is_sound(model):  # the last step's loss was that of the weights before it
                raise TrainingDiverged(
                    f"training diverged in the last step of epoch {epoch}: the model's weights or logits are no longer "
                    f"finite; use a lower learning rate (now {recipe.lr:g})"
                )
            due = epoch % recipe.eval_every == 0 or epoch == recipe.epochs
            val_bits = data.held_out_bits(model) if due else None
            samples = {}
            if recipe.sample_every and (epoch % recipe.sample_every == 0 or epoch == recipe.epochs):
                for prompt in recipe.prompts:
                    samples[prompt] = generate(model, prompt, recipe.sample_length, temperature=0)
            nats, grad_norm, layer_grad_norms, rate = record
            run.log.append(
                Epoch(
                    epoch,
                    math.exp(nats) if nats < 700 else math.inf,
                    nats / math.log(2),
                    None if val_bits is None else perplexity(val_bits),
                    val_bits,
                    grad_norm,
                    layer_grad_norms,
                    round(time.perf_counter() - start, 3),
                    round(rate, 1),
                    samples,
                )
            )
            if saver:
                saver.after_epoch()
            if on_epoch:
                on_epoch(run.log[-1])
            if interrupted.is_set():
                run.interrupted = epoch < recipe.epochs
                break
    model.eval()
    return run


def _encode(model: LanguageModel, corpus: Corpus, recipe: Recipe) -> np.ndarray:
    """The ids of the corpus, whose vocabulary a model without one gets."""
    if model.vocabulary is None:
        vocabulary = corpus.vocabulary()
        if len(vocabulary) != model.vocab_size:
            raise InputError(
                f"the corpus has a vocabulary of {len(vocabulary)} but the model's vocab_size is {model.vocab_size}; "
                f"build the model with vocab_size={len(vocabulary)}"
            )
        model.vocabulary, model.normalisation = vocabulary, corpus.normalisation
    model.records = corpus.records
    text = corpus.text[: recipe.max_chars] if recipe.max_chars else corpus.text
    return model.vocabulary.encode(text)


def _train_epoch(
    model: LanguageModel,
    data: Text | Records,
    recipe: Recipe,
    epoch: int,
    optimizer: Optimiser,
    on_step: Callable[[Step], None] | None,
    interrupted: threading.Event,
    saver: Saver | None,
) -> tuple[float, float, list[float], float] | None:
    """Mean nats, mean gradient norms and characters per second of one epoch; None if it was interrupted."""
    model.train()
    start, total, count, norms, done = time.perf_counter(), 0.0, 0, 0.0, 0
    each = len(list(model.layer.parameters())) // model.layer.num_layers
    parts = [slice(i * each, (i + 1) * each) for i in range(model.layer.num_layers)]
    parts.append(slice(len(parts) * each, None))
    layer_norms = [0.0] * len(parts)
    state: ModelState | None = None
    for inputs, targets, fresh in data.batches(epoch):
        rows = len(inputs)
        before = first_rows(state, rows) if state is not None and not fresh else model.begin_state(rows)
        assert before is not None
        counted = int((targets >= 0).sum())
        loss, state, grads = model.loss_and_grads(inputs.t().contiguous(), targets.t().contiguous(), before)
        if len(optimizer.free) < len(grads):  # what is frozen counts for nothing in the norms
            grads = [g if i in optimizer.free else torch.zeros_like(g) for i, g in enumerate(grads)]
        norm = kernels.grad_norm(grads)
        if not (math.isfinite(loss) and math.isfinite(norm)):
            clip = "none" if recipe.clip is None else f"{recipe.clip:g}"
            raise TrainingDiverged(
                f"training diverged at epoch {epoch}, step {done + 1}: loss {loss:g}, gradient norm {norm:g}; "
                f"use a lower learning rate (now {recipe.lr:g}) or clip more (now {clip})"
            )
        layer_norms = [n + kernels.grad_norm(grads[part]) for n, part in zip(layer_norms, parts, strict=True)]
        optimizer.step(grads, norm)
        total, count, norms, done = total + loss * counted, count + counted, norms + norm, done + 1
        if on_step:
            rate = count / (time.perf_counter() - start)
            fraction = (epoch - 1 + min(count / data.size, 1.0)) / recipe.epochs
            on_step(Step(epoch, recipe.epochs, fraction, perplexity(total / count / math.log(2)), norm, rate))
        if saver:
            saver.sometimes()
        if interrupted.is_set():
            break
    if interrupted.is_set() and count < data.size:
        return None
    seconds = time.perf_counter() - start
    return total / count, norms / done, [n / done for n in layer_norms], count / seconds
