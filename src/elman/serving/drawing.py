"""Drawing: the fields of a request that say how symbols are drawn, and what ends a text."""

from __future__ import annotations

import secrets

from ..errors import InputError
from ..generation import Sampling, stop_strings
from .fields import Fields, is_ids, real, shown
from .limits import Limits
from .refusal import Refused
from .served import Served


def stops_of(fields: Fields, served: Served, limits: Limits) -> tuple[str, ...]:
    stop = fields.get("stop", default=[])
    stop = [stop] if isinstance(stop, str) else stop
    if not isinstance(stop, list) or not all(isinstance(each, str) for each in stop):
        raise Refused(f"stop is {shown(stop)}; expected a string or a list of strings", param="stop")
    if sum(map(len, stop)) > limits.stops:
        raise Refused(f"the stop strings have more than {limits.stops:,} characters together", param="stop")
    try:
        return stop_strings(served.model, tuple(stop))
    except InputError as error:
        raise Refused(str(error), param="stop") from None


def sampling_of(fields: Fields, served: Served) -> tuple[Sampling, int]:
    """How symbols are drawn, and the seed: what was given, or one that is drawn here."""
    seed = fields.whole("seed", least=-(2**63), most=2**64 - 1)
    seed = secrets.randbits(31) if seed is None else seed % 2**64
    top_k = fields.whole("top_k", least=-1, most=2**31)
    allowed_ids = fields.get("allowed_token_ids", "allowed_ids")
    if allowed_ids is not None and not is_ids(allowed_ids):
        raise Refused(f"allowed_token_ids is {shown(allowed_ids)}; expected a list of ids", param="allowed_token_ids")
    given = {
        "temperature": fields.number("temperature"),
        "alpha": fields.number("alpha"),
        "top_k": top_k if top_k and top_k > 0 else None,
        "top_p": fields.number("top_p"),
        "min_p": fields.number("min_p"),
        "repetition_penalty": fields.number("repetition_penalty", "repeat_penalty"),
        "presence_penalty": fields.number("presence_penalty"),
        "frequency_penalty": fields.number("frequency_penalty"),
        "allowed": fields.text("allowed"),
        "choice": fields.text("choice"),
        "allowed_ids": allowed_ids,
        "logit_bias": _bias(fields, served),
    }
    try:
        sampling = Sampling(seed=seed, **{name: value for name, value in given.items() if value is not None})
        sampling.bias(served.model.reading.vocabulary)
    except InputError as error:
        name = str(error).partition(" ")[0].rstrip(":")
        raise Refused(str(error), param=name if name in given else None) from None
    return sampling, seed


def _bias(fields: Fields, served: Served) -> dict[int, float] | None:
    """Biases by id. A key is an id in digits, or the text of a symbol."""
    bias: dict[int, float] = {}
    for key, value in fields.object("logit_bias").items():
        if key.isascii() and key.isdigit() and len(key) < 10:
            id = int(key)
        elif key in served.ids:
            id = served.ids[key]
        else:
            raise Refused(f"logit_bias has {shown(key)}; expected an id or a symbol of the model", param="logit_bias")
        bias[id] = bias.get(id, 0.0) + max(-1e30, min(1e30, real(value, "logit_bias")))
    return bias or None
