"""One step of each cell in plain NumPy, and back.

A forward step takes x (B, GH), the share of the input in the pre-activations, and h (B, GH), the recurrent share, with
the state before. It returns the state after and what its derivative needs. A backward step takes that and the gradient
of the state after. It returns the gradients of x, of h, and of the state before as far as it does not go through W_hh.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .backend import Array, State


def sigmoid(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, np.float32(1)) / (1 + e)


def _rnn_relu(x: Array, h: Array, state: State) -> tuple[State, Array]:
    after = np.maximum(x + h, 0)
    return (after,), after


def _rnn_relu_back(saved: Array, grad: State, state: State) -> tuple[Array, Array, State]:
    d = np.where(saved > 0, grad[0], np.float32(0))
    return d, d, (np.zeros_like(d),)


def _rnn_tanh(x: Array, h: Array, state: State) -> tuple[State, Array]:
    after = np.tanh(x + h)
    return (after,), after


def _rnn_tanh_back(saved: Array, grad: State, state: State) -> tuple[Array, Array, State]:
    d = grad[0] * (1 - saved * saved)
    return d, d, (np.zeros_like(d),)


def _gru(x: Array, h: Array, state: State) -> tuple[State, Array]:
    (xr, xz, xn), (hr, hz, hn) = np.split(x, 3, -1), np.split(h, 3, -1)
    r, z = sigmoid(xr + hr), sigmoid(xz + hz)
    n = np.tanh(xn + r * hn)
    return (n + z * (state[0] - n),), np.stack((r, z, n, hn))


def _gru_back(saved: Array, grad: State, state: State) -> tuple[Array, Array, State]:
    (r, z, n, hn), g = saved, grad[0]
    dn = g * (1 - z) * (1 - n * n)
    dz = g * (state[0] - n) * z * (1 - z)
    dr = dn * hn * r * (1 - r)
    return np.concatenate((dr, dz, dn), -1), np.concatenate((dr, dz, dn * r), -1), (g * z,)


def _lstm(x: Array, h: Array, state: State) -> tuple[State, Array]:
    i, f, g, o = np.split(x + h, 4, -1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    c = f * state[1] + i * g
    return (o * np.tanh(c), c), np.stack((i, f, g, o, c))


def _lstm_back(saved: Array, grad: State, state: State) -> tuple[Array, Array, State]:
    i, f, g, o, c = saved
    squashed = np.tanh(c)
    dc = grad[1] + grad[0] * o * (1 - squashed * squashed)
    do = grad[0] * squashed * o * (1 - o)
    d = np.concatenate((dc * g * i * (1 - i), dc * state[1] * f * (1 - f), dc * i * (1 - g * g), do), -1)
    return d, d, (np.zeros_like(dc), dc * f)


_Step = Callable[[Array, Array, State], tuple[State, Array]]
_StepBack = Callable[[Array, State, State], tuple[Array, Array, State]]
STEPS: dict[str, tuple[_Step, _StepBack]] = {
    "rnn_relu": (_rnn_relu, _rnn_relu_back),
    "rnn_tanh": (_rnn_tanh, _rnn_tanh_back),
    "gru": (_gru, _gru_back),
    "lstm": (_lstm, _lstm_back),
}
