"""What no text, number or setting is gets one clear line, wherever it enters; scores of nothing, and equality."""

from __future__ import annotations

import math

import pytest

import elman
from elman.generation import beam_search, new_records, stream
from elman.inspection import sample
from elman.scoring import compare, words

LINES = "ada\nbo went\n" * 5


def make(text=LINES, records=False):
    return elman.build_model(elman.Corpus("t", text, "none", "here", records), hidden_size=5, init_std=None)


MODEL, RECORDS = make(), make(records=True)


@pytest.mark.parametrize("wrong", [None, 5, 1.5, True, b"ada", {}, {"a"}], ids=repr)
def test_what_is_no_text(wrong):
    for call in (
        lambda: elman.score(MODEL, wrong),
        lambda: elman.score(MODEL, ["ada", wrong]),
        lambda: elman.generate(MODEL, wrong, 3),
        lambda: elman.generate(MODEL, ["ada", wrong], 3),
        lambda: list(stream(MODEL, wrong, 3)),
        lambda: elman.after(MODEL, wrong),
        lambda: beam_search(MODEL, wrong, 3),
        lambda: new_records(RECORDS, [], 1, wrong, 5),
    ):
        with pytest.raises(elman.InputError, match=f"^a text must be str for this model, got {type(wrong).__name__}$"):
            call()
    with pytest.raises(elman.InputError, match="a text must be str or bytes for this model, got int"):
        elman.score(make(LINES.encode()), 5)  # type: ignore[call-overload]


@pytest.mark.parametrize("wrong", ["x", 5.0, math.nan, -1, [1]], ids=repr)
def test_what_is_no_whole_number(wrong):
    for name, call in {
        "length": lambda: elman.generate(MODEL, "a", wrong),
        "num_samples": lambda: elman.generate(MODEL, "a", 3, num_samples=wrong),
        "width": lambda: beam_search(MODEL, "a", 3, wrong),
        "count": lambda: elman.after(MODEL, "a", wrong),
        "the number of new records": lambda: new_records(RECORDS, [], wrong),
        "length ": lambda: sample(MODEL, wrong),
    }.items():
        with pytest.raises(elman.InputError, match=f"^{name.strip()} must be "):
            call()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        (n, w)
        for n in (
            "temperature",
            "alpha",
            "top_k",
            "top_p",
            "min_p",
            "seed",
            "repetition_penalty",
            "presence_penalty",
            "frequency_penalty",
        )
        for w in ("x", [1])
    ]
    + [("temperature", None), ("seed", None), ("top_k", 5.0), ("seed", math.nan), ("temperature", math.nan)]
    + [("allowed", 5), ("logit_bias", "x"), ("logit_bias", {"a": "x"}), ("logit_bias", {1.5: 2.0})]
    + [("allowed_ids", "ab"), ("allowed_ids", 5)]
    + [("stop", 5), ("stop", None), ("stop", [1]), ("stop", b"x")],
)
def test_what_is_no_setting(name, wrong):
    with pytest.raises(elman.InputError, match=f"^{name} ") as caught:
        elman.generate(MODEL, "a", 3, **{name: wrong})
    assert "\n" not in str(caught.value)


def test_scores_are_equal_to_themselves_and_can_be_keys():
    score = elman.score(MODEL, LINES)
    for each in (score, score.lines(), compare(score, score)):
        assert each == each
        assert {each: 1}[each] == 1
        assert each != elman.score(MODEL, "ada")


def test_the_score_of_nothing():
    nothing = elman.score(MODEL, LINES).part(0, 0)
    assert (nothing.bits, nothing.bits_per_char, nothing.bits_per_byte, nothing.perplexity) == (0, 0, 0, 1)
    assert len(nothing.lines()) == len(words(MODEL, nothing)) == 0
    assert "0 characters" in repr(nothing)
