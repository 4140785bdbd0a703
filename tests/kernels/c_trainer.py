"""A training by libelman's functions in C: the steps of a recipe, on the batches that `fit` cuts."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int32, c_int64, c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import Any

import numpy as np

import elman
from elman import batches, philox
from elman.export.c import token_bytes
from elman.kernels import CELLS
from elman.recipes import Recipe
from elman.text import Reading
from elman.training.schedule import learning_rate


class Shape(ctypes.Structure):
    _fields_ = [(name, c_int32) for name in ("cell", "layers", "hidden", "vocab", "embedding")]


class Update(ctypes.Structure):
    _fields_ = [
        ("optimizer", c_int32),
        *((name, c_double) for name in ("lr", "clip", "weight_decay", "average", "dropout", "hidden_dropout")),
        *((name, c_double) for name in ("output_dropout", "weight_dropout")),
        ("seed", c_uint64),
    ]


class Facts(ctypes.Structure):
    _fields_ = [
        (name, c_int32)
        for name in (
            "cell",
            "layers",
            "hidden",
            "vocab",
            "embedding",
            "bits",
            "start",
            "tokens",
            "normalisation",
            "records",
        )
    ]


OPTIMIZERS = {"sgd": 0, "adam": 1, "adamw": 1, "muon": 2}


class CTrainer:
    """The functions of a shared library that train."""

    def __init__(self, path: Path) -> None:
        c = self.c = ctypes.CDLL(str(path))
        c.elman_error.restype, c.elman_random.restype = c_char_p, c_uint64
        c.elman_trainer_new.restype, c.elman_trainer_weight.restype = c_void_p, POINTER(c_float)
        c.elman_trainer_container.restype = c_int64
        c.elman_trainer_new.argtypes = [c_void_p]
        c.elman_trainer_free.argtypes = c.elman_trainer_swap.argtypes = [c_void_p]
        c.elman_initialise.argtypes = [c_void_p, c_uint64, c_double]
        c.elman_trainer_weight.argtypes = [c_void_p, c_int64, POINTER(c_int64)]
        c.elman_train_step.argtypes = [c_void_p, c_int64, c_int64, c_void_p, c_void_p, c_int32, *[c_void_p] * 3]
        c.elman_trainer_container.argtypes = [c_void_p, c_void_p, c_void_p, c_char_p, c_void_p, c_int64]
        c.elman_random.argtypes = [c_uint64] * 3

    def error(self) -> str:
        return self.c.elman_error().decode()

    def new(self, **sizes: int) -> int:
        """A trainer, 0 where it was refused."""
        return self.c.elman_trainer_new(byref(Shape(**{"cell": 2, "layers": 1, "hidden": 3, "vocab": 5} | sizes))) or 0

    def steps_fail(
        self, ids: Any = ((1,),), targets: Any = ((2,),), fresh: int = 1, steps: int = 1, **update: Any
    ) -> bool:
        """Whether the last of some steps is refused."""
        trainer, (x, y) = self.new(), (np.array(each, np.int64) for each in (ids, targets))
        self.c.elman_initialise(trainer, 1, 1.0)
        how, failed = Update(**{"lr": 0.1, "clip": 1.0} | update), 0
        for _ in range(steps):
            failed = self.c.elman_train_step(
                trainer, *x.shape, x.ctypes.data, y.ctypes.data, fresh, byref(how), None, None
            )
        self.c.elman_trainer_free(trainer)
        return failed == 1

    def train(self, corpus: elman.Corpus, recipe: Recipe) -> tuple[list[np.ndarray], bytes, list[float]]:
        """The weights that a recipe's epochs give, their container, and the loss of each step."""
        c, reading = self.c, corpus.reading()
        sizes = {"layers": recipe.num_layers, "hidden": recipe.hidden_size, "embedding": recipe.embedding_size or 0}
        trainer = self.new(cell=CELLS[recipe.cell].code, vocab=len(reading), **sizes)
        assert trainer, self.error()
        assert c.elman_initialise(trainer, recipe.seed, recipe.init_std or 0.0) == 0, self.error()
        ids = reading.vocabulary.encode(corpus.text)
        size = (
            batches.num_batches(len(ids), recipe.batch_size, recipe.seq_length) * recipe.batch_size * recipe.seq_length
        )
        losses: list[float] = []
        loss, norm = c_double(), c_double()
        decay = recipe.weight_decay if recipe.optimizer in ("adamw", "muon") else 0.0
        drops = (recipe.dropout, recipe.hidden_dropout, recipe.output_dropout, recipe.weight_dropout)
        for epoch in range(1, recipe.epochs + 1):
            assert c.elman_random(recipe.seed, philox.EPOCH + epoch, 0) == int(
                philox.words(recipe.seed, philox.EPOCH + epoch, 1)[0]
            )
            count = 0
            windows = batches.sequential_batches(ids, recipe.batch_size, recipe.seq_length, recipe.seed, epoch)
            for step, (inputs, targets) in enumerate(windows):
                fraction = (epoch - 1 + min(count / size, 1.0)) / recipe.epochs
                lr = learning_rate(recipe, len(losses) + 1, fraction, [])
                how = Update(OPTIMIZERS[recipe.optimizer], lr, recipe.clip or 0.0, decay, recipe.average, *drops)
                how.seed = philox.dropout_seed(recipe.seed)
                arguments: list[Any] = [trainer, *inputs.shape, inputs.ctypes.data, targets.ctypes.data, step == 0]
                failed = c.elman_train_step(*arguments, byref(how), byref(loss), byref(norm))
                assert not failed, self.error()
                losses.append(loss.value)
                count += targets.size
        c.elman_trainer_swap(trainer)
        weights, length = [], c_int64()
        while at := c.elman_trainer_weight(trainer, len(weights), byref(length)):
            weights.append(np.ctypeslib.as_array(at, (length.value,)).copy())
        container = self._container(trainer, reading)
        c.elman_trainer_free(trainer)
        return weights, container, losses

    def _container(self, trainer: int, reading: Reading) -> bytes:
        tokens = token_bytes(reading.vocabulary)
        at = (c_uint32 * (len(tokens) + 1))(*np.cumsum([0, *map(len, tokens)]).tolist())
        facts = Facts(start=reading.start, tokens=0, normalisation=int(reading.normalisation == "book"))
        given = (trainer, byref(facts), at, b"".join(tokens))
        size = self.c.elman_trainer_container(*given, None, 0)
        to = ctypes.create_string_buffer(size)
        assert self.c.elman_trainer_container(*given, to, size) == size
        return to.raw
