"""Recipe: every setting of a training run in one object, read from a TOML file or from a packaged one by name."""

from __future__ import annotations

import dataclasses
import difflib
import math
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from ..errors import InputError

_CHOICES = {
    "cell": ("rnn_relu", "rnn_tanh", "gru", "lstm"),
    "partition": ("sequential", "random"),
    "optimizer": ("sgd", "adam", "adamw"),
    "normalisation": ("book", "none"),
}
_AT_LEAST_ONE = ("hidden_size", "num_layers", "seq_length", "batch_size", "epochs", "eval_every")
_POSITIVE = ("lr", "clip", "init_std")
_NOT_NEGATIVE = ("weight_decay", "seed", "sample_every", "sample_length")


@dataclass(frozen=True)
class Recipe:
    """The settings of a run. The defaults are the book's; `load_recipe("book")` is the same thing as a file."""

    # The text
    normalisation: str = "book"
    """What is done to the text: "book" (lower-case, white space collapsed) or "none"."""
    max_chars: int | None = None
    """Train on the first so many characters only."""
    val_fraction: float = 0.0
    """Hold out this share of the text, its end, to measure on."""

    # The model
    cell: str = "rnn_relu"
    """rnn_relu (the book's), rnn_tanh, gru or lstm."""
    hidden_size: int = 256
    """Hidden units of each layer, H."""
    num_layers: int = 1
    """Recurrent layers, one above the other."""
    dropout: float = 0.0
    """Share of each layer's output that is dropped on its way to the next layer while training."""
    init_std: float | None = 0.01
    """Weights start from N(0, this), biases from 0. None: uniform in +-1/sqrt(H), as torch does."""

    # The optimisation
    epochs: int = 500
    """Passes over the text."""
    batch_size: int = 32
    """Sequences side by side, B."""
    seq_length: int = 35
    """Steps of truncated back-propagation, T."""
    partition: str = "sequential"
    """sequential: the state is carried from batch to batch; random: shuffled windows, each from a zero state."""
    optimizer: str = "sgd"
    """sgd, adam or adamw."""
    lr: float = 1.0
    """Learning rate."""
    weight_decay: float = 0.0
    """Decoupled weight decay, for adamw."""
    clip: float | None = 1.0
    """Largest Euclidean norm of all gradients together; None: no clipping."""
    seed: int = 0
    """Decides the initial weights, the offsets, the dropout and the samples."""

    # What is shown meanwhile
    eval_every: int = 1
    """Epochs between measurements of the held-out text; the last epoch always has one."""
    prompts: tuple[str, ...] = ("traveller", "time traveller")
    """Prompts to continue, greedily, while training."""
    sample_every: int = 100
    """Epochs between continuations; 0: none."""
    sample_length: int = 50
    """Characters of a continuation."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "prompts", tuple(self.prompts))
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise InputError(f"{name} must be one of {', '.join(choices)}; got {getattr(self, name)!r}")
        for name, value in dataclasses.asdict(self).items():
            if value is None:  # where the type allows it, it means "off"
                continue
            if isinstance(value, float) and not math.isfinite(value):
                raise InputError(f"{name} must be finite, got {value}")
            if name in (*_AT_LEAST_ONE, "max_chars") and (not _whole(value) or value < 1):
                raise InputError(f"{name} must be a whole number of at least 1, got {value!r}")
            if _whole(value) and value >= (2**64 if name == "seed" else 2**31):
                raise InputError(f"{name} must be below {'2^64' if name == 'seed' else '2^31'}, got {value}")
            if name in _POSITIVE and not value > 0:
                raise InputError(f"{name} must be above 0, got {value!r}")
            if name in _NOT_NEGATIVE and not value >= 0:
                raise InputError(f"{name} must be at least 0, got {value!r}")
            if name in ("dropout", "val_fraction") and not 0 <= value < 1:
                raise InputError(f"{name} must be in [0, 1), got {value!r}")

    def replace(self, **changes: Any) -> Recipe:
        """A copy with some settings changed.

        Raises:
            ValueError: an unknown name (says which is nearest) or a value out of range.
        """
        known = [field.name for field in dataclasses.fields(self)]
        for name in changes:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"; did you mean {near[0]!r}?" if near else f"; expected one of {', '.join(known)}"
                raise InputError(f"unknown setting {name!r}{hint}")
        return dataclasses.replace(self, **changes)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def recipe_names() -> list[str]:
    """The packaged recipes."""
    folder = resources.files("elman.training") / "recipes"
    return sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))


def load_recipe(name_or_path: str | Path) -> Recipe:
    """A packaged recipe by name ("book"), or one from a TOML file; what the file leaves out is the book's.

    Raises:
        ValueError: no such recipe or file, not TOML, an unknown setting, or a value of the wrong type or range.
    """
    name = str(name_or_path)
    if name in recipe_names():
        source = (resources.files("elman.training") / "recipes" / f"{name}.toml").read_text("utf-8")
    else:
        try:
            source = Path(name).read_text("utf-8")
        except OSError as error:
            raise InputError(
                f"no recipe {name!r}: not one of {', '.join(recipe_names())}, and as a file: {error.strerror}"
            ) from None
        except UnicodeDecodeError as error:
            raise InputError(f"recipe {name}: not UTF-8 text (byte {error.start})") from None
    try:
        settings = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"recipe {name}: not TOML: {error}") from None
    for key, value in settings.items():
        if key in ("clip", "init_std", "max_chars") and value is False:  # TOML has no null
            settings[key] = None
            continue
        default = getattr(Recipe(), key, None)
        if isinstance(default, float) and _whole(value):
            settings[key] = float(value)
        elif default is not None and not isinstance(value, list if isinstance(default, tuple) else type(default)):
            raise InputError(f"recipe {name}: {key} must be {type(default).__name__}, got {value!r}")
    try:
        return Recipe().replace(**settings)
    except (ValueError, TypeError) as error:
        raise InputError(f"recipe {name}: {error}") from None
