"""Pages: what is packed in them equals what the library says; nothing in a text or a name becomes markup."""

from __future__ import annotations

import numpy as np
import pytest
from page_data import unpack

import elman
from elman.pages import surprisal_page
from elman.scoring import alternatives, score_many

TEXT = "the sea,\n\tand </script><b>home</b> & <!-- again.\n" * 3


def make(text: str | bytes = TEXT, **settings) -> elman.LanguageModel:
    return elman.build_model(
        elman.Corpus("t", text, "none", "here"), cell="gru", hidden_size=9, init_std=None, **settings
    )


def test_a_page_holds_what_the_library_says():
    model = make()
    scores = score_many(model, [TEXT, TEXT[5:30]])
    data, arrays = unpack(surprisal_page(model, scores, ["one", "two"]))
    assert {len(values) for values in arrays.values()} == {len(TEXT) + 1 + 25 + 1}
    for file, score in zip(data["files"], scores, strict=True):
        span = slice(file["start"], file["end"] - 1)
        assert "".join(map(chr, arrays["codes"][span])) == score.text
        np.testing.assert_allclose(arrays["bits"][span], score.surprisal * 1000, atol=0.51)
        ids = model.reading.vocabulary.encode("\n" + score.text)
        tokens, bits = alternatives(model, ids, np.array([0]), np.array([len(ids)]))
        for k in range(5):
            all_of_it = slice(file["start"], file["end"])  # with the place after the end
            np.testing.assert_array_equal(arrays[f"token{k}"][all_of_it], tokens[:, k])
            np.testing.assert_allclose(arrays[f"bits{k}"][all_of_it], bits[:, k] * 1000, atol=0.51)
        own = [list(row).index(i) if i in row else 255 for row, i in zip(tokens, ids[1:], strict=False)]
        np.testing.assert_array_equal(arrays["rank"][span], own)


def test_records_have_alternatives_at_their_first_character():
    model = make()
    score = elman.score(model, "the\nsea", records=True)
    _, arrays = unpack(surprisal_page(model, [score], ["t"]))
    first, second, end = arrays["bits0"][[0, 4, 8]]
    assert first == second == end  # a record always begins in the same state
    tokens, bits = alternatives(model, model.reading.vocabulary.encode("\n"), np.array([0]), np.array([1]))  # type: ignore
    assert arrays["token0"][0] == tokens[0, 0]
    assert first == pytest.approx(bits[0, 0] * 1000, abs=0.51)


def test_bytes_are_shown_as_characters():
    data = "é日\U0001d11e".encode() + b"\xff b"
    model = make(data)
    score = elman.score(model, data)
    page, arrays = unpack(surprisal_page(model, [score], ["t"]))
    assert page["bytes"]
    assert [chr(c) for c in arrays["codes"][:-1]] == ["é", "日", "\U0001d11e", "\ufffd", " ", "b"]
    np.testing.assert_allclose(arrays["bits"][:-1], score.characters()[1] * 1000, atol=0.51)
    tokens, _ = alternatives(model, np.frombuffer(b"\n" + data, np.uint8), np.array([0]), np.array([len(data) + 1]))
    np.testing.assert_array_equal(arrays["token0"], tokens[[0, 2, 5, 9, 10, 11, 12], 0])  # before each first byte


def test_text_and_names_never_become_markup():
    model = make()
    text = TEXT + "\ud83d\x00\u2028</script>"
    page = surprisal_page(model, [elman.score(model, text)], ["<img src=x>\udcff{{script}}.txt"])
    assert page.count("<script") == page.count("</script>") == 2
    assert "<b>" not in page
    assert "<img" not in page
    assert "&lt;img src=x&gt;\ufffd{{script}}.txt" in page
    page.encode()
    assert [chr(c) for c in unpack(page)[1]["codes"][:-1]] == list(text)


def test_a_page_is_a_function_of_its_arguments():
    model = make()
    score = elman.score(model, TEXT)
    assert surprisal_page(model, [score], ["a"]) == surprisal_page(model, [score], ["a"])


def test_a_cost_beyond_the_scale_is_the_most():
    model = make()
    model.output.bias.data[3] = 200.0
    _, arrays = unpack(surprisal_page(model, [elman.score(model, TEXT)], ["a"]))
    assert arrays["bits"].max() == 65535


def test_names_and_scores_must_agree():
    model = make()
    with pytest.raises(ValueError, match="2 names for 1 scores"):
        surprisal_page(model, [elman.score(model, TEXT)], ["a", "b"])
    with pytest.raises(ValueError, match="0 names for 0 scores"):
        surprisal_page(model, [], [])
