"""A model as ONNX, for programs that run nothing else: floats, opset 14; needs the extra `elman[onnx]`.

The operators are RNN, GRU and LSTM, with sequences time-major (layout 0). ONNX orders the gates z r h and i o f c; a
model has torch's order, r z n and i f g o. Logits differ from Elman's by rounding: up to 2e-5, not to the bit.
"""

# ruff: noqa: E741 (l is a layer)
from __future__ import annotations

import json
from typing import Any

import numpy as np

from .. import __version__
from ..errors import InputError
from ..kernels.backend import LayerWeights
from ..model import LanguageModel, QuantisedModel, refuse_ngrams

FORMS = ("plain", "sherpa")
OPSET = 14
_OPERATORS: dict[str, tuple[str, list[int], dict[str, Any]]] = {
    "rnn_relu": ("RNN", [0], {"activations": ["Relu"]}),
    "rnn_tanh": ("RNN", [0], {"activations": ["Tanh"]}),
    "gru": ("GRU", [1, 0, 2], {"linear_before_reset": 1}),
    "lstm": ("LSTM", [0, 3, 1, 2], {}),
}
"""ONNX's operator for a cell, where each of its gates is among ours, and its attributes."""


def to_onnx(model: LanguageModel | QuantisedModel, form: str = "plain") -> bytes:
    """The model as an ONNX file.

    Args:
        model: a LanguageModel with any cell, layers and embedding.
        form: "plain": inputs ids int64 (T, B), h float32 (L, B, H), and c of an LSTM; outputs logits (T, B, V), hn, cn.
            "sherpa": as sherpa-onnx reads a language model for shallow fusion: x int64 (N, T), h, c; log_probs
            (N, T, V) of the next token, next_h, next_c. An LSTM only.
    Raises:
        InputError: a quantised model, another form, a cell that the form does not take, or no package `onnx`.
    """
    refuse_ngrams(model, "ONNX")
    if isinstance(model, QuantisedModel):
        raise InputError("ONNX has no integers for these cells; export the model that this one was quantised from")
    if form not in FORMS:
        raise InputError(f"form is {form!r}; expected {' or '.join(FORMS)}")
    if model.cell not in _OPERATORS:
        raise InputError(f"ONNX has no operator for the cell {model.cell}; it has {', '.join(_OPERATORS)}")
    if form == "sherpa" and model.cell != "lstm":
        raise InputError(f"form 'sherpa' takes an LSTM, whose h and c it reads; this model is a {model.cell}")
    try:
        import onnx
    except ImportError:
        raise InputError("ONNX needs the package onnx: pip install 'elman[onnx]'") from None
    graph = _Graph(onnx, model)
    made = graph.sherpa() if form == "sherpa" else graph.plain()
    onnx.checker.check_model(made, full_check=True)
    return made.SerializeToString()


class _Graph:
    """The nodes and weights of a model's graph, as they grow."""

    def __init__(self, onnx: Any, model: LanguageModel) -> None:
        self._onnx, self._model, self._cell = onnx, model, model.cell
        self._nodes: list[Any] = []
        self._weights: list[Any] = []
        self._states = ("h", "c") if self._cell == "lstm" else ("h",)

    def plain(self) -> Any:
        """ids (T, B) and states in, logits and states out."""
        hidden = self._recurrent("ids", self._states, tuple(f"{s}n" for s in self._states))
        self._output(hidden, "logits")
        ids, logits = self._info("ids", ["T", "B"], "INT64"), self._info("logits", ["T", "B", self._model.vocab_size])
        return self._made([ids, *self._state("")], [logits, *self._state("n", after=True)], {})

    def sherpa(self) -> Any:
        """x (N, T) and states in, log-probabilities and states out, with the names and facts that sherpa-onnx reads."""
        self._add("Transpose", ["x"], ["ids"], perm=[1, 0])
        hidden = self._recurrent("ids", self._states, tuple(f"next_{s}" for s in self._states))
        self._output(hidden, "scores")
        self._add("LogSoftmax", ["scores"], ["likely"], axis=-1)
        self._add("Transpose", ["likely"], ["log_probs"], perm=[1, 0, 2])
        x, scores = self._info("x", ["N", "T"], "INT64"), self._info("log_probs", ["N", "T", self._model.vocab_size])
        facts = {
            "num_layers": str(self._model.num_layers),
            "hidden_size": str(self._model.hidden_size),
            "sos_id": str(self._model.reading.start),
        }
        return self._made([x, *self._state("", axis="N")], [scores, *self._state("next_", axis="N")], facts)

    def _recurrent(self, ids: str, states: tuple[str, ...], last: tuple[str, ...]) -> str:
        """All layers; the name of the last one's output (T, B, H)."""
        network = self._model.network
        x = "x0"
        if network.embedding is None:
            size = self._put("vocabulary", np.array(self._model.vocab_size))
            self._add("OneHot", [ids, size, self._put("off_on", np.array([0, 1], np.float32))], [x], axis=-1)
        else:
            self._add("Gather", [self._put("embedding", network.embedding), ids], [x])
        for l, weights in enumerate(network.layers):
            x = self._layer(l, weights, x, states)
        for s, name in zip(self._states, last, strict=True):
            self._add("Concat", [f"{s}n{l}" for l in range(len(network.layers))], [name], axis=0)
        return x

    def _layer(self, l: int, weights: LayerWeights, x: str, states: tuple[str, ...]) -> str:
        operator, order, attributes = _OPERATORS[self._cell]
        H = self._model.hidden_size
        w_ih, w_hh, b_ih, b_hh = weights

        def turn(w: np.ndarray) -> np.ndarray:
            return w.reshape(len(order), H, *w.shape[1:])[order].reshape(w.shape)

        none = np.zeros(len(order) * H, np.float32)
        biases = [turn(none if b is None else b) for b in (b_ih, b_hh)]
        for s in states:
            cut = [
                self._put(f"{s}_{part}_{l}", np.array([at])) for part, at in (("from", l), ("to", l + 1), ("axis", 0))
            ]
            self._add("Slice", [s, *cut], [f"{s}{l}"])
        given = [self._put(f"w_ih_{l}", turn(w_ih)[None]), self._put(f"w_hh_{l}", turn(w_hh)[None])]
        given += [self._put(f"bias_{l}", np.concatenate(biases)[None]), "", *(f"{s}{l}" for s in states)]
        made = [f"y{l}", *(f"{s}n{l}" for s in states)]
        self._add(operator, [x, *given], made, hidden_size=H, **attributes)
        self._add("Squeeze", [f"y{l}", self._put(f"directions_{l}", np.array([1]))], [f"x{l + 1}"])
        return f"x{l + 1}"

    def _output(self, hidden: str, name: str) -> None:
        network = self._model.network
        self._add("MatMul", [hidden, self._put("w_out", network.weight.T)], ["products"])
        bias = np.zeros(self._model.vocab_size, np.float32) if network.bias is None else network.bias
        self._add("Add", ["products", self._put("b_out", bias)], [name])

    def _state(self, before: str, after: bool = False, axis: str = "B") -> list[Any]:
        shape = [self._model.num_layers, axis, self._model.hidden_size]
        return [self._info(f"{s}{before}" if after else f"{before}{s}", shape) for s in self._states]

    def _info(self, name: str, shape: list[Any], kind: str = "FLOAT") -> Any:
        return self._onnx.helper.make_tensor_value_info(name, getattr(self._onnx.TensorProto, kind), shape)

    def _put(self, name: str, array: np.ndarray) -> str:
        self._weights.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def _add(self, operator: str, inputs: list[str], outputs: list[str], **attributes: Any) -> None:
        self._nodes.append(self._onnx.helper.make_node(operator, inputs, outputs, **attributes))

    def _made(self, inputs: list[Any], outputs: list[Any], facts: dict[str, str]) -> Any:
        helper, model = self._onnx.helper, self._model
        graph = helper.make_graph(self._nodes, "elman", inputs, outputs, self._weights)
        made = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=8,
            producer_name="elman",
            producer_version=__version__,
        )
        facts |= {"reading": json.dumps(model.reading.to_dict()), "start": str(model.reading.start)}
        helper.set_model_props(made, facts | {"digest": model.digest()})
        return made
