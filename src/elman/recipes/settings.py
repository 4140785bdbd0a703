"""The settings of a Recipe as keyword arguments, for editors and type checkers.

Made from `recipe.py` by tests/recipes/test_settings.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict


class Settings(TypedDict, total=False):
    """Changes to a recipe, as `fit` and `build_model` take them."""

    normalisation: Literal["book", "none"]
    """Normalisation of the text: book (lower-case, white space collapsed) or none."""
    tokens: str
    """Units of the text: chars; bytes, for files of any kind; bpe:N, subwords, N with the 256 bytes; split:REGEX, what
    a regular expression matches; or the tokens of a tokenizer.json.
    """
    max_chars: int | None
    """Train on the first so many characters only."""
    last_tokens: int | None
    """Train on the last so many tokens only."""
    val_fraction: float
    """Share of the text, or of the records, to hold out and measure on."""
    val_blocks: int
    """Blocks of a text that make up this share, spread evenly over it; 1: its end."""
    cell: Literal["rnn_relu", "rnn_tanh", "gru", "lstm"]
    """rnn_relu (the book's), rnn_tanh, gru or lstm."""
    hidden_size: int
    """Hidden units of each layer."""
    networks: int
    """Networks of this size that are trained side by side; the model is the mean of their logits, and has as many
    times the units.
    """
    num_layers: int
    """Recurrent layers, one above the other."""
    embedding_size: int | None
    """The first layer reads a learned vector of this size for each token; off: one-hot, which has a column of weights
    for each.
    """
    dropout: float
    """Share of each layer's output dropped on its way to the next while training."""
    hidden_dropout: float
    """Dropout of the same units through a whole sequence."""
    output_dropout: float
    """Share of the last layer's units dropped through a whole sequence while training."""
    weight_dropout: float
    """Share of the recurrent weights dropped in each step of training."""
    init_std: float | None
    """Weights start from N(0, this), biases from 0; off: uniform in +-1/sqrt(H)."""
    ngrams: int | None
    """Tokens of the longest n-grams of the training text that are kept in the model's file and mixed into what the
    network says, as chosen on the held-out part; off: no n-grams.
    """
    ngrams_kept: int
    """Most n-grams that are kept, the most useful: some 3 bytes of the file each."""
    epochs: int
    """Passes over the text."""
    batch_size: int
    """Sequences side by side."""
    seq_length: int
    """Steps of truncated back-propagation."""
    shards: int
    """Parts of a batch whose gradients are summed apart and added in order: as many processes can share the work."""
    partition: Literal["sequential", "random"]
    """sequential: the state is carried from batch to batch; random: shuffled windows, each from a zero state."""
    optimizer: Literal["sgd", "adam", "adamw", "muon"]
    """sgd, adam, adamw, or muon: orthogonal updates of the matrices between hidden units, adamw for the rest."""
    lr: float
    """Learning rate."""
    schedule: Literal["constant", "linear", "cosine", "plateau"]
    """Learning-rate schedule: constant; linear or cosine, to 0; plateau, halved whenever the held-out text gets no
    better.
    """
    warmup: int
    """Steps over which the learning rate rises from 0."""
    weight_decay: float
    """Decoupled weight decay, for adamw and muon."""
    average: float
    """The model is an average of the weights, of which each step keeps this share, as in 0.998; 0: no average."""
    patience: int | None
    """Stop after so many measurements of the held-out text without a better one; off: never."""
    clip: float | None
    """Largest norm of the whole gradient; off: no clipping."""
    seed: int
    """Decides the initial weights, the offsets, the dropout and the samples."""
    eval_every: int
    """Epochs between measurements of the held-out text; the last has one."""
    prompts: Sequence[str]
    """Prompt to continue, greedily, while training; may be repeated."""
    sample_every: int
    """Epochs between continuations; 0: none."""
    sample_length: int
    """Characters of a continuation."""
