"""The same model in other hands: torch.nn, JAX and NumPy, with an elman.LanguageModel's weights copied."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

import elman

try:
    import jax
    import jax.numpy as jnp
except ImportError:  # pip install '.[bench]'
    jax = jnp = None


def torch_copy(model: elman.LanguageModel) -> tuple[torch.nn.RNNBase, torch.nn.Linear]:
    layer, cell = model.layer, model.layer.cell
    kind: Any = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM}.get(cell, torch.nn.RNN)
    options = {"nonlinearity": cell.removeprefix("rnn_")} if cell.startswith("rnn_") else {}
    rnn = kind(layer.input_size, layer.hidden_size, layer.num_layers, **options)
    rnn.load_state_dict({name: torch.from_numpy(w) for name, w in layer.state_dict().items()})
    output = torch.nn.Linear(layer.hidden_size, model.vocab_size)
    output.load_state_dict({name: torch.from_numpy(w) for name, w in model.output.state_dict().items()})
    return rnn, output


def arrays(model: elman.LanguageModel) -> tuple[list[tuple[np.ndarray, ...]], tuple[np.ndarray, np.ndarray]]:
    """(w_ih, w_hh, b_ih, b_hh) of every layer; weight and bias of the output. Copies."""
    layers = [tuple(w.copy() for w in weights if w is not None) for weights in model.layer.weights()]
    return layers, (model.output.weight.copy(), model.output.bias.copy())


def jax_begin(cell: str, batch: tuple[int, ...], hidden: int) -> tuple[Any, ...]:
    zeros = jnp.zeros((*batch, hidden), jnp.float32)
    return (zeros, zeros) if cell == "lstm" else (zeros,)


def jax_cell(cell: str, pre: Any, part: Any, state: tuple[Any, ...]) -> tuple[Any, ...]:
    """One step: pre = W_ih x + b_ih and part = W_hh h + b_hh, both (..., GH), and state -> state."""
    if cell == "rnn_relu":
        return (jax.nn.relu(pre + part),)
    if cell == "rnn_tanh":
        return (jnp.tanh(pre + part),)
    if cell == "gru":
        (xr, xz, xn), (hr, hz, hn) = jnp.split(pre, 3, -1), jnp.split(part, 3, -1)
        r, z = jax.nn.sigmoid(xr + hr), jax.nn.sigmoid(xz + hz)
        n = jnp.tanh(xn + r * hn)
        return (n + z * (state[0] - n),)
    i, f, g, o = jnp.split(pre + part, 4, -1)
    c = jax.nn.sigmoid(f) * state[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
    return (jax.nn.sigmoid(o) * jnp.tanh(c), c)


def jax_token_weights(model: elman.LanguageModel) -> Any:
    """What `jax_token` takes: the first layer's W_ih as rows to look up, biases added beforehand."""
    layers, output = arrays(model)
    prepared = []
    for i, (w_ih, w_hh, b_ih, b_hh) in enumerate(layers):
        # The GRU's b_hh belongs inside its reset gate; without one both biases are one.
        both = (b_ih, b_hh) if model.layer.cell == "gru" else (b_ih + b_hh, np.zeros_like(b_hh))
        prepared.append((np.ascontiguousarray(w_ih.T) + both[0] if i == 0 else w_ih, w_hh, *both))
    return jax.tree.map(jnp.asarray, (prepared, output))


def jax_token(cell: str, weights: Any, states: list[Any], token: Any) -> tuple[list[Any], Any]:
    """One token of one stream through all layers: new states, logits (V,). Matrix times vector in this order: XLA's
    vector times transposed matrix is several times slower."""
    layers, (w, b) = weights
    x, after = None, []
    for state, (w_ih, w_hh, b_ih, b_hh) in zip(states, layers, strict=True):
        pre = w_ih[token] if x is None else w_ih @ x + b_ih
        part = w_hh @ state[0]
        after.append(jax_cell(cell, pre, part + b_hh if cell == "gru" else part, state))
        x = after[-1][0]
    return after, w @ x + b
