"""Recipe: every setting of a training run in one object, read from a TOML file or from a packaged one by name."""

from __future__ import annotations

import dataclasses
import difflib
import math
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from ..typed import shown


def setting(
    default: Any,
    help: str,
    *,
    choices: tuple[str, ...] = (),
    at_least: float | None = None,
    above: float | None = None,
    below: float = math.inf,
    can_be_off: bool = False,
    option: str = "",
) -> Any:
    """A field of a Recipe, with all that is to be said about it once: the command's options are made from it.

    Args:
        help: what it means; the option's help.
        choices: the only values, of a string.
        at_least, above, below: the range of a number; a whole one is below 2^31 anyway.
        can_be_off: None is allowed, and means off; a TOML file says false, and the command 0.
        option: its name on the command line, where that is not the field's.
    """
    metadata = {
        "help": help, "choices": choices, "at_least": at_least, "above": above, "below": below,
        "can_be_off": can_be_off, "option": option,
    }  # fmt: skip
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Recipe:
    """The settings of a run. The defaults are the book's; `load_recipe("book")` is the same thing as a file.

    Nothing changes one, so threads may share it.

    Raises:
        InputError: a value that a setting cannot have, or settings that do not go together.
    """

    # The text
    normalisation: str = setting(
        "book", "Normalisation of the text: book (lower-case, white space collapsed) or none.", choices=("book", "none")
    )
    tokens: str = setting(
        "chars",
        "Units of the text: chars; bytes, for files of any kind; bpe:N, subwords, N with the 256 bytes; "
        "split:REGEX, what a regular expression matches; or the tokens of a tokenizer.json.",
    )
    max_chars: int | None = setting(None, "Train on the first so many characters only.", at_least=1, can_be_off=True)
    last_tokens: int | None = setting(None, "Train on the last so many tokens only.", at_least=1, can_be_off=True)
    val_fraction: float = setting(
        0.0, "Share of the text, or of the records, to hold out and measure on.", at_least=0, below=1
    )
    val_blocks: int = setting(
        1, "Blocks of a text that make up this share, spread evenly over it; 1: its end.", at_least=1
    )

    # The model
    cell: str = setting(
        "rnn_relu", "rnn_relu (the book's), rnn_tanh, gru or lstm.", choices=("rnn_relu", "rnn_tanh", "gru", "lstm")
    )
    hidden_size: int = setting(256, "Hidden units of each layer.", at_least=1)
    networks: int = setting(
        1,
        "Networks of this size that are trained side by side; the model is the mean of their logits, and has as many "
        "times the units.",
        at_least=1,
    )
    num_layers: int = setting(1, "Recurrent layers, one above the other.", at_least=1)
    embedding_size: int | None = setting(
        None,
        "The first layer reads a learned vector of this size for each token; off: one-hot, which has a column of "
        "weights for each.",
        at_least=1,
        can_be_off=True,
    )
    dropout: float = setting(
        0.0, "Share of each layer's output dropped on its way to the next while training.", at_least=0, below=1
    )
    hidden_dropout: float = setting(0.0, "Dropout of the same units through a whole sequence.", at_least=0, below=1)
    output_dropout: float = setting(
        0.0, "Share of the last layer's units dropped through a whole sequence while training.", at_least=0, below=1
    )
    weight_dropout: float = setting(
        0.0, "Share of the recurrent weights dropped in each step of training.", at_least=0, below=1
    )
    init_std: float | None = setting(
        0.01, "Weights start from N(0, this), biases from 0; off: uniform in +-1/sqrt(H).", above=0, can_be_off=True
    )
    ngrams: int | None = setting(
        None,
        "Tokens of the longest n-grams of the training text that are kept in the model's file and mixed into what the "
        "network says, as chosen on the held-out part; off: no n-grams.",
        at_least=1,
        below=17,
        can_be_off=True,
    )
    ngrams_kept: int = setting(
        200_000, "Most n-grams that are kept, the most useful: some 3 bytes of the file each.", at_least=1
    )

    # The optimisation
    epochs: int = setting(500, "Passes over the text.", at_least=1)
    batch_size: int = setting(32, "Sequences side by side.", at_least=1)
    seq_length: int = setting(35, "Steps of truncated back-propagation.", at_least=1)
    shards: int = setting(
        1,
        "Parts of a batch whose gradients are summed apart and added in order: as many processes can share the work.",
        at_least=1,
    )
    partition: str = setting(
        "sequential",
        "sequential: the state is carried from batch to batch; random: shuffled windows, each from a zero state.",
        choices=("sequential", "random"),
    )
    optimizer: str = setting(
        "sgd",
        "sgd, adam, adamw, or muon: orthogonal updates of the matrices between hidden units, adamw for the rest.",
        choices=("sgd", "adam", "adamw", "muon"),
    )
    lr: float = setting(1.0, "Learning rate.", above=0)
    schedule: str = setting(
        "constant",
        "Learning-rate schedule: constant; linear or cosine, to 0; plateau, halved whenever the held-out text "
        "gets no better.",
        choices=("constant", "linear", "cosine", "plateau"),
    )
    warmup: int = setting(0, "Steps over which the learning rate rises from 0.", at_least=0)
    weight_decay: float = setting(0.0, "Decoupled weight decay, for adamw and muon.", at_least=0)
    average: float = setting(
        0.0,
        "The model is an average of the weights, of which each step keeps this share, as in 0.998; 0: no average.",
        at_least=0,
        below=1,
    )
    patience: int | None = setting(
        None,
        "Stop after so many measurements of the held-out text without a better one; off: never.",
        at_least=1,
        can_be_off=True,
    )
    clip: float | None = setting(1.0, "Largest norm of the whole gradient; off: no clipping.", above=0, can_be_off=True)
    seed: int = setting(
        0, "Decides the initial weights, the offsets, the dropout and the samples.", at_least=0, below=2**64
    )

    # What is shown meanwhile
    eval_every: int = setting(1, "Epochs between measurements of the held-out text; the last has one.", at_least=1)
    prompts: tuple[str, ...] = setting(
        ("traveller", "time traveller"),
        "Prompt to continue, greedily, while training; may be repeated.",
        option="prompt",
    )
    sample_every: int = setting(100, "Epochs between continuations; 0: none.", at_least=0)
    sample_length: int = setting(50, "Characters of a continuation.", at_least=0, option="length")

    def __post_init__(self) -> None:
        if not isinstance(self.prompts, (list, tuple)) or not all(isinstance(p, str) for p in self.prompts):
            raise InputError(f"prompts must be a list of texts, got {shown(self.prompts)}")
        object.__setattr__(self, "prompts", tuple(self.prompts))
        for field in dataclasses.fields(self):
            _check(field, getattr(self, field.name))
        need = {"patience": self.patience, "the schedule plateau": self.schedule == "plateau", "ngrams": self.ngrams}
        if not self.val_fraction and any(need.values()):
            what = next(name for name, value in need.items() if value)
            raise InputError(f"{what} needs a text to measure on; set val_fraction, to 0.1 say")

    def replace(self, **changes: Any) -> Recipe:
        """A copy with some settings changed.

        Raises:
            InputError: an unknown name (says which is nearest) or a value out of range.
        """
        known = [field.name for field in dataclasses.fields(self)]
        for name in changes:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"; did you mean {near[0]!r}?" if near else f"; expected one of {', '.join(known)}"
                raise InputError(f"unknown setting {name!r}{hint}")
        return dataclasses.replace(self, **changes)


def _check(field: dataclasses.Field[Any], value: Any) -> None:
    """Raises InputError if a setting cannot have this value."""
    name, m, whole = field.name, field.metadata, str(field.type).startswith("int")
    if m["choices"]:
        if not isinstance(value, str) or value not in m["choices"]:
            raise InputError(f"{name} must be one of {', '.join(m['choices'])}; got {shown(value)}")
        return
    if name == "tokens":
        if not isinstance(value, str):
            raise InputError(f"tokens must be a text, got {shown(value)}")
        if value not in ("chars", "bytes"):  # which every packaged recipe has
            from ..text import check_tokens

            check_tokens(value)
        return
    if name == "prompts" or (value is None and m["can_be_off"]):
        return
    kind = "a whole number" if whole else "a number"
    if not isinstance(value, (int, float)) or isinstance(value, bool) or (whole and not is_whole(value)):
        raise InputError(f"{name} must be {kind}, got {shown(value)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{name} must be finite, got {value}")
    if m["above"] is not None and not value > m["above"]:
        raise InputError(f"{name} must be above {m['above']}, got {value!r}")
    if m["at_least"] is not None and not value >= m["at_least"]:
        raise InputError(f"{name} must be {kind} of at least {m['at_least']}, got {shown(value)}")
    most = 2**31 if whole and m["below"] == math.inf else m["below"]
    if not value < most:
        raise InputError(f"{name} must be below {({2**64: '2^64', 2**31: '2^31'}).get(most, most)}, got {shown(value)}")


def is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
