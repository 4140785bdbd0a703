"""Completions over HTTP: every field, against what the library itself gives."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import math

import numpy as np
import pytest
from command_line import PATIENCE

import elman

pytest.importorskip("starlette", reason="the extra elman[serve] is not installed")
import asgi

from elman.serving import Limits, create_app

TEXT = "the traveller came down to the sea.\nand went home. née\n"


def make(text: str | bytes = TEXT, records=False, bits=0):
    corpus = elman.Corpus("t", text, "none", "here", records)
    model = elman.build_model(corpus, cell="gru", hidden_size=9, init_std=None)
    model.output.weight *= 3.0
    return elman.quantise(model, bits=bits) if bits else model


MODELS = {
    "chars": make(),
    "bytes": make(TEXT.encode()),
    "names": make("anna\notto\nada\n", True),
    "small": make(bits=8),
}


def asked(*bodies, path="/v1/completions", status=200, **settings):
    """The answers to these bodies, one after another."""

    async def work(client):
        return [await client.post(path, body) for body in bodies]

    found = asgi.run(create_app(MODELS, **settings), work)
    assert [answered.status for answered in found] == [status] * len(bodies), found[0].body
    return [answered if "text/event" in answered.headers["content-type"] else answered.json() for answered in found]


def joined(lists):
    return list(itertools.chain.from_iterable(lists))


def one(**body):
    return asked({"model": "chars", "seed": 1, **body})[0]


def test_a_text_is_what_generate_writes():
    settings = {"temperature": 0.7, "top_k": 9, "top_p": 0.9, "min_p": 0.01, "repetition_penalty": 1.2}
    settings |= {"presence_penalty": 0.5, "frequency_penalty": 0.25, "alpha": 1.1, "allowed": "the travlr.", "seed": 5}
    for name, model in MODELS.items():
        allowed = {} if name != "names" else {"allowed": "anto\n"}
        body = {"model": name, "prompt": "a", "max_tokens": 30, **settings, **allowed}
        choice = asked(body)[0]["choices"][0]
        assert choice["text"] == elman.generate(model, "a", 30, **settings | allowed), name  # type: ignore
        assert choice["finish_reason"] == ("stop" if name == "names" else "length")
    plain = elman.generate(MODELS["chars"], "the ", 16, seed=1)
    assert one(prompt="the ")["choices"][0]["text"] == plain, "16 symbols, if nothing is said"
    spelt = one(prompt="the ", length=16, num_samples=1, repeat_penalty=1, top_k=-1, stop=None, user="x", best_of=1)
    assert spelt["choices"][0]["text"] == plain
    assert one()["choices"][0]["text"] == elman.generate(MODELS["chars"], "", 16, seed=1)
    biased = one(prompt="the ", logit_bias={"e": 50, "3": 49.0})
    ids = MODELS["chars"].reading.vocabulary
    assert biased["choices"][0]["text"] == elman.generate(
        MODELS["chars"], "the ", 16, seed=1, logit_bias={int(ids.encode("e")[0]): 50.0, 3: 49.0}
    )
    assert set(one(allowed_token_ids=[2, 4], max_tokens=40)["choices"][0]["text"]) == set(ids.decode(np.array([2, 4])))


def test_prompts_in_every_form_and_n_of_each():
    ids = MODELS["chars"].reading.prompt("the ").tolist()
    want = elman.generate(MODELS["chars"], ["the ", "sea", "the "], 8, seed=1, num_samples=2)
    found = one(prompt=["the ", "sea", ids], n=2, max_tokens=8, return_token_ids=True)
    assert [c["text"] for c in found["choices"]] == [text for texts in want for text in texts]
    assert [c["index"] for c in found["choices"]] == list(range(6))
    assert found["choices"][0]["prompt_token_ids"] == ids
    assert found["usage"] == {"prompt_tokens": 11, "completion_tokens": 48, "total_tokens": 59}
    assert one(prompt=ids, max_tokens=8)["choices"][0]["text"] == want[0][0]
    best = one(prompt="the ", n=2, best_of=6, max_tokens=8, logprobs=0)
    six = one(prompt="the ", n=6, max_tokens=8, logprobs=0)["choices"]
    order = sorted(six, key=lambda c: -np.mean(c["logprobs"]["token_logprobs"]))
    assert [c["text"] for c in best["choices"]] == [c["text"] for c in order[:2]]
    assert best["usage"]["completion_tokens"] == 48, "all six were written"


@pytest.mark.parametrize("name", MODELS)
def test_log_probabilities_are_the_models_own(name):
    """Also below a temperature and with ids forbidden; the last is always of the one drawn symbol."""
    model, prompt = MODELS[name], "tot" if name == "names" else "the sé"
    body = {"model": name, "prompt": prompt, "echo": True, "logprobs": 1, "max_tokens": 1, "temperature": 0}
    plain, scored = asked(body, body | {"max_tokens": 0, "prompt_logprobs": 3})
    logprobs = plain["choices"][0]["logprobs"]
    ids = model.reading.prompt(prompt)
    costs = elman.score(model, prompt).surprisal[: len(ids)] * math.log(2)
    assert len(logprobs["tokens"]) == len(logprobs["token_logprobs"]) == len(logprobs["top_logprobs"]) == len(ids) + 1
    assert logprobs["token_logprobs"][0] is None
    assert np.allclose(logprobs["token_logprobs"][1:-1], -costs[1:], atol=2e-6)
    first = scored["choices"][0]["prompt_logprobs"][0][str(ids[0])]
    assert first["logprob"] == pytest.approx(-costs[0], abs=2e-6)
    assert first["rank"] >= 1
    assert scored["choices"][0]["logprobs"]["token_logprobs"] == logprobs["token_logprobs"][:-1]
    assert scored["usage"]["completion_tokens"] == 0
    for token, value, top in zip(*(logprobs[k][1:] for k in ("tokens", "token_logprobs", "top_logprobs")), strict=True):
        assert top[token] == value, "the actual symbol is there, from the same rounding"
        assert 1 <= len(top) <= 2
    assert logprobs["token_logprobs"][-1] == max(logprobs["top_logprobs"][-1].values()), "greedy takes the likeliest"
    everything = asked({"model": name, "prompt": prompt, "logprobs": model.vocab_size, "max_tokens": 3, "seed": 2})[0]
    for top in everything["choices"][0]["logprobs"]["top_logprobs"]:
        assert len(top) == model.vocab_size, "no two symbols have one key"
        assert sum(math.exp(v) for v in top.values()) == pytest.approx(1, abs=1e-5)


def test_where_a_record_ends_its_end_is_the_last_entry():
    model = MODELS["names"]
    end = model.reading.line_end
    body = {"model": "names", "prompt": "anna", "logprobs": 2, "logit_bias": {str(end): 100.0}, "echo": True}
    choice = asked(body | {"max_tokens": 5})[0]["choices"][0]
    assert choice["text"] == "anna"
    assert (choice["finish_reason"], choice["stop_reason"]) == ("stop", "\n")
    assert choice["logprobs"]["tokens"] == [*"anna", "\n"]
    assert choice["logprobs"]["token_logprobs"][-1] < 0
    assert choice["logprobs"]["text_offset"] == [0, 1, 2, 3, 4]


def test_bytes_have_names_and_characters_have_places():
    name, prompt = "bytes", "née"
    logprobs = asked({"model": name, "prompt": prompt, "echo": True, "logprobs": 0, "max_tokens": 0})[0]["choices"][0][
        "logprobs"
    ]
    assert logprobs["tokens"] == ["n", "bytes:\\xc3", "bytes:\\xa9", "e"]
    assert logprobs["text_offset"] == [0, 1, 1, 2]
    by_id = {"model": name, "prompt": "é", "logprobs": 1, "max_tokens": 1, "return_tokens_as_token_ids": True}
    assert asked(by_id)[0]["choices"][0]["logprobs"]["tokens"][0].startswith("token_id:")


@pytest.mark.parametrize("name", MODELS)
def test_a_stream_is_the_whole_in_chunks(name):
    body = {"model": name, "prompt": ["a", "o", ""], "n": 2, "max_tokens": 60, "seed": 3, "logprobs": 2, "echo": True}
    body |= {"stop": ["el", "wn t", "é"], "return_token_ids": True, "user": "someone", "suffix": ""}
    whole, stream = asked(body, body | {"stream": True, "stream_options": {"include_usage": True}})
    events = stream.events()
    assert events[-1]["choices"] == []
    assert events[-1]["usage"] == whole["usage"]
    assert all(len(event["choices"]) == 1 for event in events[:-1])
    for choice in whole["choices"]:
        mine = [e["choices"][0] for e in events[:-1] if e["choices"][0]["index"] == choice["index"]]
        assert "".join(c["text"] for c in mine) == choice["text"]
        assert all("\ufffd" not in c["text"] for c in mine) or "\ufffd" in choice["text"]
        assert [c["finish_reason"] for c in mine] == [None] * (len(mine) - 1) + [choice["finish_reason"]]
        assert mine[-1]["stop_reason"] == choice["stop_reason"]
        for key in choice["logprobs"]:
            assert joined(c["logprobs"][key] for c in mine) == choice["logprobs"][key], key
        assert joined(c["token_ids"] for c in mine) == choice["token_ids"]
    plain = asked(body | {"stream": True, "logprobs": None})[0].events()
    assert all(event["choices"] for event in plain), "no chunk is empty unless usage was asked for"


def test_a_chat_continues_what_was_said():
    messages = [{"role": "system", "content": "the"}, {"role": "user", "content": [{"type": "text", "text": "sea"}]}]
    body = {"model": "chars", "messages": messages, "max_tokens": 9, "seed": 4, "logprobs": True, "top_logprobs": 2}
    whole, stream = asked(body, body | {"stream": True}, path="/v1/chat/completions")
    message = whole["choices"][0]["message"]
    assert message == {"role": "assistant", "content": elman.generate(MODELS["chars"], "the\nsea", 9, seed=4)}
    parts = [event["choices"][0] for event in stream.events()]
    assert "".join(part["delta"]["content"] for part in parts) == message["content"]
    assert parts[0]["delta"]["role"] == "assistant"
    entries = whole["choices"][0]["logprobs"]["content"]
    assert len(entries) == 9
    assert all(len(entry["top_logprobs"]) == 2 for entry in entries)
    assert bytes(joined(entry["bytes"] for entry in entries)).decode() == message["content"]


def test_a_beam_is_what_the_search_finds():
    for name, model in MODELS.items():
        want = elman.beam_search(model, "a", 12, 4)
        found = asked({"model": name, "prompt": "a", "max_tokens": 12, "beam": 4, "temperature": 1, "stop": []})[0]
        assert [(c["index"], c["text"], c["bits"]) for c in found["choices"]] == [
            (i, beam.text, beam.bits) for i, beam in enumerate(want)
        ]
        assert all(
            choice["finish_reason"] == ("length" if len(choice["text"].encode()) >= 12 or name != "names" else "stop")
            for choice in found["choices"]
        )
    ids = MODELS["chars"].reading.prompt("th").tolist()
    found = asked({"model": "chars", "prompt": [ids, ids], "max_tokens": 5, "beam": 3, "n": 2, "echo": True})[0]
    want = ["th" + beam.text for beam in elman.beam_search(MODELS["chars"], "th", 5, 3)[:2]]
    assert [choice["text"] for choice in found["choices"]] == want * 2
    assert found["usage"] == {"prompt_tokens": 4, "completion_tokens": 20, "total_tokens": 24}
    chat = asked(
        {"model": "chars", "messages": [{"content": "th"}], "max_tokens": 5, "beam": 1}, path="/chat/completions"
    )
    assert chat[0]["choices"][0]["message"]["content"] == elman.beam_search(MODELS["chars"], "th", 5, 1)[0].text


def test_new_records_are_those_of_the_library():
    settings = {"temperature": 1.3, "seed": 4}
    known = ["anna", "ada"]
    want = elman.generation.new_records(MODELS["names"], known, 5, "a", 9, **settings)  # type: ignore
    body = {"model": "names", "prompt": "a", "max_tokens": 9, "new": 5, "known": known, **settings}
    found = asked(body, body | {"echo": True})
    assert [(c["text"], c["bits"]) for c in found[0]["choices"]] == [(w.text[1:], w.bits) for w in want]
    assert [choice["text"] for choice in found[1]["choices"]] == [record.text for record in want]
    assert {choice["finish_reason"] for choice in found[0]["choices"]} == {"stop"}
    assert found[0]["usage"]["completion_tokens"] == sum(len(record.text) for record in want)
    drawn = asked({"model": "names", "new": 3})[0]
    again = asked({"model": "names", "new": 3, "seed": drawn["seed"]})[0]
    assert drawn["choices"] == again["choices"], "the seed that was drawn is the one that was returned"


def test_a_search_ends_when_nobody_waits_for_it_and_after_its_time():
    endless = {"model": "chars", "max_tokens": 10**9, "beam": 2}
    app = create_app(MODELS, limits=Limits(max_tokens=10**9, seconds=0.3))

    async def work(client):
        late = await client.post("/v1/completions", endless)
        waiting = [asyncio.create_task(client.post("/v1/completions", endless, leave=0.05)) for _ in range(4)]
        await asyncio.wait_for(asyncio.gather(*waiting), PATIENCE)
        return late, await asyncio.wait_for(client.post("/v1/completions", {"model": "chars", "beam": 2}), PATIENCE)

    late, after = asgi.run(app, work)
    assert (late.status, after.status) == (400, 200)
    assert "more than 0.3 seconds" in late.json()["error"]["message"]


def test_a_search_ends_with_the_server():
    app = create_app(MODELS, limits=Limits(max_tokens=10**9))

    async def work(client):
        body = {"model": "chars", "max_tokens": 10**9, "beam": 2}
        ending = asyncio.create_task(client.post("/v1/completions", body))
        while not app.state.beside.running:
            await asyncio.sleep(0.01)
        app.state.end("abort")
        return await asyncio.wait_for(ending, PATIENCE)

    assert asgi.run(app, work).status == 503


def test_the_seed_that_was_drawn_is_returned():
    body = {"model": "chars", "max_tokens": 30}
    first, second = asked(body, body)
    assert first["choices"][0]["text"] != second["choices"][0]["text"]
    assert one(max_tokens=30, seed=first["seed"])["choices"] == first["choices"]
    assert first["system_fingerprint"].startswith("elman-float1-")
    assert asked({"model": "small"})[0]["system_fingerprint"].startswith("elman-int1-")
    assert elman.quantise(make()).fingerprint()[:24] == asked({"model": "small"})[0]["system_fingerprint"][-24:]


WRONG = [
    ({"prompt": 5}, "prompt is 5; expected a string, a list of ids, or a list of these"),
    ({"prompt": []}, "prompt is an empty list"),
    ({"prompt": [1, 99]}, "prompt has the id 99 at 1; the model has 0.."),
    ({"prompt": [-1]}, "prompt has the id -1 at 0"),
    ({"prompt": [True]}, "prompt is true"),
    ({"prompt": {"a": 1}}, "prompt is an object"),
    ({"max_tokens": -1}, "max_tokens is -1; expected a whole number in 0..4096"),
    ({"max_tokens": 10**400}, "max_tokens is"),
    ({"max_tokens": 1.5}, "max_tokens is 1.5"),
    ({"max_tokens": 3, "length": 4}, "max_tokens and length mean the same and differ"),
    ({"temperature": -1}, "temperature must be 0 (greedy) or above, got -1.0"),
    ({"temperature": "hot"}, 'temperature is "hot"; expected a number'),
    ({"temperature": 10**400}, "temperature is too large"),
    ({"top_p": 0}, "top_p must be in (0, 1], got 0.0"),
    ({"repetition_penalty": 5e-324}, "repetition_penalty must be above 0, from 1e-6 to 1e6, got 5e-324"),
    ({"repetition_penalty": 1e300}, "repetition_penalty must be above 0, from 1e-6 to 1e6"),
    ({"suffix": "end"}, "suffix is not supported: a model of this kind reads from left to right only"),
    ({"n": 0}, "n is 0; expected a whole number in 1..128"),
    ({"n": 100, "prompt": ["a", "b"]}, "2 prompts times 100"),
    ({"n": 3, "best_of": 2}, "best_of is 2; expected at least n, which is 3"),
    ({"best_of": 3, "stream": True}, "best_of needs whole texts and cannot be streamed"),
    ({"logprobs": 1000}, "logprobs is 1000; expected a whole number in 0.."),
    ({"stop": [""]}, "a stop string is empty; leave it out"),
    ({"stop": 5}, "stop is 5; expected a string or a list of strings"),
    ({"stop": "x" * 5000}, "the stop strings have more than 4,096 characters"),
    ({"logit_bias": {"zzz": 1}}, 'logit_bias has "zzz"; expected an id or a symbol of the model'),
    ({"logit_bias": {"1": None}}, "logit_bias is null; expected a number"),
    ({"logit_bias": {"99": 1}}, "logit_bias: the model has no id 99"),
    ({"allowed_token_ids": []}, "allowed_ids is empty"),
    ({"allowed": "\u00ff"}, "allowed: the model has no character"),
    ({"stream": 1}, "stream is 1; expected true or false"),
    ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage is neither true nor false"),
    ({"prompt": "a" * 300, "prompt_logprobs": 9, "n": 1, "logprobs": 9, "max_tokens": 4096}, "log-probabilities"),
    ([1], "the body is a list; expected a JSON object"),
    (b"{", "the body is not JSON"),
    (b'{"temperature": NaN}', "NaN is no number of JSON"),
    (b"[" * 100_000, "nested too deeply"),
    (b"\xff", "not UTF-8"),
    (b'{"seed": ' + b"9" * 5000 + b"}", "the body is not JSON"),
]


@pytest.mark.parametrize(("body", "message"), WRONG, ids=[message[:40] for _, message in WRONG])
def test_what_is_wrong_is_said_in_one_sentence(body, message):
    limits = Limits(numbers=40_000)
    body = {"model": "chars", **body} if isinstance(body, dict) else body
    error = asked(body, status=400, limits=limits)[0]["error"]
    assert message in error["message"]
    assert "\n" not in error["message"]
    assert error["type"] == "invalid_request_error"
    assert error["code"] == 400


def test_other_refusals():
    async def work(client):
        found = {
            "model": await client.post("/v1/completions", {"model": "nobody"}),
            "path": await client.get("/v2/nothing"),
            "method": await client.get("/v1/completions"),
            "body": await client.ask("POST", "/v1/completions", [b"{" + b" " * 500, b" " * 500, b"}"]),
            "length": await client.ask("POST", "/v1/completions", b"{}", headers={"Content-Length": "9" * 30}),
            "prompt": await client.post("/completions", {"model": "chars", "prompt": "a" * 300}),
            "encoding": await client.ask("POST", "/v1/completions", b"{}", headers={"Content-Encoding": "br"}),
        }
        return found

    found = asgi.run(create_app(MODELS, limits=Limits(body=900, prompt=200)), work)
    statuses = {"model": 404, "path": 404, "method": 405, "body": 413, "length": 413, "prompt": 413, "encoding": 415}
    assert {name: answered.status for name, answered in found.items()} == statuses
    assert all(set(a.json()["error"]) == {"message", "type", "param", "code"} for a in found.values())
    assert "this server has chars, bytes, names, small" in found["model"].json()["error"]["message"]


def test_a_packed_body_is_bounded_by_what_it_holds():
    async def work(client):
        body = json.dumps({"model": "chars", "prompt": "a", "seed": 1}).encode()
        zipped = {"Content-Encoding": "gzip"}
        return [
            await client.ask("POST", "/v1/completions", data, headers=zipped)
            for data in (gzip.compress(body), gzip.compress(b" " * 10_000_000), gzip.compress(body)[:-9], b"junk")
        ]

    good, large, cut, junk = asgi.run(create_app(MODELS, limits=Limits(body=100_000)), work)
    assert (good.status, large.status, cut.status, junk.status) == (200, 413, 400, 400)
    assert "more than 100,000 bytes" in large.json()["error"]["message"]


def test_unknown_fields_are_named_once_or_refused(caplog):
    body = {"model": "chars", "colour": "red"}
    with caplog.at_level("WARNING"):
        asked(body, body)
    assert [record.getMessage() for record in caplog.records] == ["the field 'colour' is unknown and ignored"]
    caplog.clear()
    long = "c" * 1000
    with caplog.at_level("WARNING"):
        asked({"model": "chars", long + "a": 1}, {"model": "chars", long + "b": 1})
    assert [record.getMessage() for record in caplog.records] == [f"the field '{long[:100]}' is unknown and ignored"]
    refused = asked(body, status=400, strict=True)[0]
    assert refused["error"]["message"] == "unknown field 'colour'"


def test_keys_and_other_origins():
    async def work(client):
        wrong = {"Authorization": "Bearer wrong"}
        origin = {"Origin": "https://page.example", "Access-Control-Request-Method": "POST"}
        origin |= {"Access-Control-Request-Headers": "authorization", "Access-Control-Request-Private-Network": "true"}
        return {
            "none": await client.get("/v1/models"),
            "wrong": await client.get("/v1/models", headers=wrong),
            "right": await client.get("/v1/models", headers={"Authorization": "Bearer key two"}),
            "health": await client.get("/health"),
            "metrics": await client.get("/metrics"),
            "options": await client.ask("OPTIONS", "/v1/completions", headers=origin),
        }

    found = asgi.run(create_app(MODELS, keys=["one", "key two"], cors=["https://page.example"]), work)
    statuses = {"none": 401, "wrong": 401, "right": 200, "health": 200, "metrics": 401, "options": 200}
    assert {name: answered.status for name, answered in found.items()} == statuses
    options = found["options"].headers
    assert options["access-control-allow-origin"] == "https://page.example"
    assert options["access-control-allow-private-network"] == "true"
    assert "authorization" in options["access-control-allow-headers"].lower()

    found = asgi.run(create_app(MODELS), work)
    assert all(answered.status < 300 for answered in found.values()), "without keys any key will do, an empty one too"
    assert not any(name.startswith("access-control") for answered in found.values() for name in answered.headers)


@pytest.mark.parametrize(
    ("method", "host", "origin", "status"),
    [
        ("GET", "127.0.0.1:8080", None, 200), ("GET", "[::1]:8080", None, 200), ("GET", "LOCALHOST", None, 200),
        ("GET", "story.localhost:80", None, 200), ("GET", "elman:8080", None, 200), ("GET", None, None, 200),
        ("GET", "rebound.example", None, 403), ("GET", "127.0.0.1.rebound.example:8080", None, 403),
        ("GET", "localhost.example", None, 403), ("GET", "[::1", None, 403), ("GET", "a.b@rebound.example", None, 403),
        ("GET", "127.0.0.1", "https://other.example", 200), ("POST", "127.0.0.1:80", "http://127.0.0.1:80", 200),
        ("POST", "127.0.0.1:80", "http://127.0.0.1:81", 403), ("POST", "127.0.0.1", "https://other.example", 403),
        ("POST", "127.0.0.1", "null", 403), ("POST", "127.0.0.1", "https://page.example", 200),
    ],
)  # fmt: skip
def test_a_page_of_another_origin_neither_reads_nor_sends(method, host, origin, status):
    headers = {name: value for name, value in (("Host", host), ("Origin", origin)) if value is not None}
    path = "/v1/completions" if method == "POST" else "/v1/models"

    async def work(client):
        return await client.ask(method, path, {"seed": 1} if method == "POST" else b"", headers)

    app = create_app(MODELS, local=True, cors=["https://page.example"])
    answered = asgi.run(app, work)
    assert answered.status == status
    if status == 403:
        named = host if method == "GET" else origin
        assert named in answered.json()["error"]["message"]
    assert asgi.run(create_app(MODELS), work).status == 200


def test_a_model_that_diverged_is_said_and_serving_goes_on():
    broken = make()
    broken.output.bias[2] = np.nan  # type: ignore

    async def work(client):
        bad = await client.post("/v1/completions", {"model": "broken"})
        stream = await client.post("/v1/completions", {"model": "broken", "stream": True})
        return bad, stream, await client.post("/v1/completions", {"model": "chars"})

    bad, stream, good = asgi.run(create_app({"broken": broken, "chars": MODELS["chars"]}), work)
    assert bad.status == 500
    assert "training has diverged" in bad.json()["error"]["message"]
    assert "training has diverged" in stream.events()[0]["error"]["message"]
    assert good.status == 200


def test_health_says_when_it_ends():
    app = create_app(MODELS)

    async def work():
        early = await asgi.Client(app).get("/health")
        async with asgi.client(app) as client:
            ready = await client.get("/v1/health")
        return early.status, ready.status, (await asgi.Client(app).get("/health")).status

    assert asyncio.run(work()) == (503, 200, 503)


def test_ids_may_begin_with_the_beginning():
    """A harness sends the first id of `bos_token` before a text that has no context."""
    start = MODELS["chars"].reading.start
    ids = MODELS["chars"].reading.prompt("the sea").tolist()
    body = {"model": "chars", "echo": True, "logprobs": 1, "max_tokens": 1, "seed": 1, "prompt_logprobs": 1}
    plain, marked = asked(body | {"prompt": ids}, body | {"prompt": [start, *ids]})
    (stream,) = asked(body | {"prompt": [start, *ids], "stream": True})
    first, second = plain["choices"][0], marked["choices"][0]
    assert second["text"] == "\n" + first["text"]
    costs = elman.score(MODELS["chars"], "the sea").surprisal * math.log(2)
    assert np.allclose(second["logprobs"]["token_logprobs"][1:-1], -costs, atol=2e-6)
    assert second["logprobs"]["token_logprobs"][2:] == first["logprobs"]["token_logprobs"][1:]
    assert second["logprobs"]["top_logprobs"][0] == {"\n": 0.0}
    assert second["prompt_logprobs"][1:] == first["prompt_logprobs"]
    assert marked["usage"]["prompt_tokens"] == plain["usage"]["prompt_tokens"] + 1
    parts = [event["choices"][0] for event in stream.events()]
    assert joined(part["logprobs"]["tokens"] for part in parts) == second["logprobs"]["tokens"]
    assert joined(part["logprobs"]["token_logprobs"] for part in parts) == second["logprobs"]["token_logprobs"]


def test_no_settings_make_a_model_fail():
    """What one client asks for must not end the batch in which others are."""
    extremes = {
        "repetition_penalty": [1e-6, 1e6], "presence_penalty": [-1e6, 1e6], "frequency_penalty": [-1e6, 1e6],
        "temperature": [1e-30, 1e300], "alpha": [5e-324, 1e7], "top_p": [5e-324, 1], "min_p": [0, 1],
        "top_k": [1, 2**31],
        "logit_bias": [{"1": 1e300, "2": -1e300, "3": 1e300}, {str(i): -1e300 for i in range(1, 20)}],
    }  # fmt: skip
    bodies = [{"model": "chars", "prompt": "the ", "seed": 1, "max_tokens": 20}]
    for name, values in extremes.items():
        bodies = [body | {name: value} for body in bodies for value in (*values, None)]
        bodies = bodies[:: max(1, len(bodies) // 40)]
    bodies += [
        {"model": "chars", "max_tokens": 20, name: value} for name, values in extremes.items() for value in values
    ]

    async def work(client):
        return await asyncio.gather(*(client.post("/v1/completions", body) for body in bodies))

    statuses = {a.status for a in asgi.run(create_app(MODELS), work)}
    assert statuses <= {200, 400}
    assert 200 in statuses
