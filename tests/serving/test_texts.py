"""What is served beside completions: symbols, scores, what comes next, compression, metrics, and the schema."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from typing import Any

import numpy as np
import pytest

import elman

pytest.importorskip("starlette", reason="the extra elman[serve] is not installed")
import asgi
from command_line import PATIENCE
from test_completions import MODELS, TEXT, make

from elman.scoring import words
from elman.serving import Limits, create_app
from elman.serving.beside import THREADS
from elman.serving.fields import Fields
from elman.serving.packing import packed_by, unpacked_by
from elman.serving.served import Served

LINES = {"Content-Type": "application/x-ndjson"}
JSON = {"Content-Type": "application/json"}


def served(work, **settings):
    return asgi.run(create_app(MODELS, **settings), work)


def test_symbols_and_back_with_both_clients_names_and_paths():
    async def work(client):
        info = (await client.get("/tokenizer_info?model=names")).json(), (await client.get("/v1/tokenizer_info")).json()
        found = []
        for prefix in ("", "/v1"):
            ids = (await client.post(f"{prefix}/tokenize", {"prompt": "the sea", "add_special_tokens": False})).json()
            same = (await client.post(f"{prefix}/tokenize", {"content": "the sea"})).json()
            assert ids == same
            found.append(ids["tokens"])
            back = (await client.post(f"{prefix}/detokenize", {"tokens": ids["tokens"]})).json()
            assert back == {"prompt": "the sea", "content": "the sea"}
        wrong = await client.post("/detokenize", {"tokens": [99]})
        assert (wrong.status, wrong.json()["error"]["message"]) == (
            400,
            "tokens has the id 99 at 0; the model has 0..18",
        )
        return info, found

    (records, stream), found = served(work)
    assert found == [MODELS["chars"].reading.prompt("the sea").tolist()] * 2
    assert (records["eos_token"], records["bos_token"]) == ("\n", "\n")
    assert (stream["eos_token"], stream["bos_token"]) == (None, "\n"), "a text of a stream has no end"


def test_a_client_that_leaves_amid_its_body_is_no_fault(caplog):
    async def work(client):
        lines = await client.ask("POST", "/v1/score?model=chars", [b'"a"\n"b'], headers=LINES, cut=True)
        paths = ("/v1/score", "/v1/completions", "/v1/compress", "/tokenize")
        others = [await client.ask("POST", path, [b'{"text": "a'], headers=JSON, cut=True) for path in paths]
        return lines, others

    with caplog.at_level("WARNING"):
        lines, others = served(work)
    assert json.loads(lines.body)["bits"] == elman.score(MODELS["chars"], "a").bits
    assert [each.status for each in others] == [499] * 4
    assert not caplog.records


def test_so_many_wait_and_others_are_told_to_come_again():
    async def work(client):
        body = {"model": "chars", "text": TEXT}
        together = await asyncio.gather(*(client.post("/v1/score", body) for _ in range(6)))
        return together, await client.post("/v1/score", body)

    together, after = served(work, limits=Limits(queue=1))
    assert sorted(answered.status for answered in together) == [200] * 3 + [429] * 3
    assert all(a.headers["retry-after"] == "1" for a in together if a.status == 429)
    assert after.status == 200


@pytest.mark.parametrize("by", ["symbols", "words"])
def test_a_score_ends_when_nobody_waits_for_it(by):
    """Four clients leave while two threads are amid a text: they read no further piece, and nobody the others'."""
    model: Any = make()
    reached, left = list[str](), threading.Event()
    amid = {"symbols": "loss", "words": "__call__"}[by]

    class Waiting(elman.LanguageModel):
        def loss(self, *given):
            return self._read("loss", super().loss, *given)

        def __call__(self, *given):
            return self._read("__call__", super().__call__, *given)

        def _read(self, kind, read, *given):
            reached.append(kind)
            if kind == amid:
                assert left.wait(PATIENCE)
            return read(*given)

    model.__class__ = Waiting
    app = create_app({"chars": model})

    async def work(client):
        leave, body = asyncio.Event(), {"text": "the sea\n" * 3000, "by": by}
        leaving = [asyncio.create_task(client.post("/v1/score", body, leave=leave)) for _ in range(4)]
        while reached.count(amid) < THREADS:
            await asyncio.sleep(0.01)
        begun = len(reached)
        leave.set()
        answers = await asyncio.gather(*leaving)
        at_work = app.state.beside.running
        left.set()
        while app.state.beside.running:
            await asyncio.sleep(0.01)
        after = await asyncio.wait_for(client.post("/v1/score", {"text": "the sea"}), PATIENCE)
        return [each.status for each in answers], at_work, after.status, len(reached) - begun

    assert asgi.run(app, work) == ([499] * 4, THREADS, 200, 1)


def test_what_comes_after_the_end_is_answered():
    """An application may be started again, and `app.state.end` ends only what is in progress."""
    app = create_app(MODELS)

    async def work(client):
        app.state.end("abort")
        lines = await client.ask("POST", "/v1/score?model=chars", b'"the sea"\n', headers=LINES)
        posts = {"score": {"text": "the sea"}, "completions": {"prompt": "the sea", "beam": 2}}
        return [lines.status, *[(await client.post(f"/v1/{path}", body)).status for path, body in posts.items()]]

    for _ in range(2):
        assert asgi.run(app, work) == [200] * 3


def test_an_archive_ends_at_the_next_block_when_nobody_waits_for_it():
    one, looks = Served("english", elman.load("english")), list[int]()

    def going_on():
        looks.append(1)
        if len(looks) > 1:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        packed_by(one, b"a text", going_on)
    packed = packed_by(one, b"a text", lambda: None)
    looks.clear()
    with pytest.raises(TimeoutError):
        unpacked_by(one, packed, 100, going_on)
    assert unpacked_by(one, packed, 100, lambda: None) == b"a text"


def test_what_a_diverged_model_cannot_score_is_refused(caplog):
    broken = make()
    broken.output.bias[2] = np.nan  # type: ignore

    async def work(client):
        lines = await client.ask("POST", "/v1/score", b'"the sea"\n', headers=LINES)
        others = [await client.post(f"/v1/{path}", {"text": "the sea"}) for path in ("score", "after")]
        return lines, *others

    answers = asgi.run(create_app({"broken": broken}), work)
    assert [answered.status for answered in answers] == [200, 400, 400]
    assert all("training has diverged" in answered.json()["error"]["message"] for answered in answers)
    assert not caplog.records


def test_scores_are_those_of_the_library():
    texts = ["the sea\nwent home", "", "q"]

    async def work(client):
        found = {}
        for by in ("symbols", "words", "lines"):
            found[by] = (await client.post("/v1/score", {"model": "chars", "text": texts, "by": by})).json()["data"]
        found["records"] = (await client.post("/score", {"model": "names", "text": "anna\notto"})).json()["data"][0]
        body = [b'"the sea\\nwent', b' home"\n\n{"text": "q"}\n"an', b'na"']
        found["lines of"] = await client.ask("POST", "/v1/score?model=chars&by=symbols", body, headers=LINES)
        found["bad"] = await client.ask("POST", "/v1/score", [b'"a"\n', b"[1]\n", b'"b"\n'], headers=LINES)
        return found

    found = served(work)
    score = elman.score(MODELS["chars"], texts[0])
    assert [each["index"] for each in found["symbols"]] == [0, 1, 2]
    assert found["symbols"][0]["bits"] == score.bits
    assert [s["bits"] for s in found["symbols"][0]["symbols"]] == score.surprisal.tolist()
    assert found["symbols"][1]["bits"] == 0
    assert found["symbols"][2]["unknown"] == 1
    assert [w["text"] for w in found["words"][0]["words"]] == ["the", "sea", "went", "home"]
    assert [w["bits"] for w in found["words"][0]["words"]] == [w.bits for w in words(MODELS["chars"], score)]
    lines = score.lines()
    assert [(line["text"], line["bits"]) for line in found["lines"][0]["lines"]] == [
        (lines.text(i), lines.bits[i]) for i in range(2)
    ]
    assert found["lines"][0]["burst"]["bits"] == lines.bursts.max()
    assert found["records"]["bits"] == elman.score(MODELS["names"], "anna\notto").bits
    rows = [json.loads(line) for line in found["lines of"].body.splitlines()]
    assert [row["bits"] for row in rows] == [elman.score(MODELS["chars"], t).bits for t in (texts[0], "q", "anna")]
    good, bad = (json.loads(line) for line in found["bad"].body.splitlines())
    assert good["bits"] == elman.score(MODELS["chars"], "a").bits
    assert bad["error"]["message"] == "line 2 is a list; expected a string, or an object with a text"


def test_what_comes_next():
    async def work(client):
        return (await client.post("/v1/after", {"model": "bytes", "text": "n", "n": 3})).json()["data"]

    assert [(each["text"], each["probability"]) for each in served(work)] == elman.after(MODELS["bytes"], "n", 3)


def test_archives_there_and_back():
    raw = b"\0\xff" + TEXT.encode() * 9

    async def work(client):
        packed = (await client.ask("POST", "/v1/compress?model=bytes", raw)).body
        back = (await client.ask("POST", "/v1/decompress?model=bytes", packed)).body
        text = (await client.ask("POST", "/v1/compress", {"model": "bytes", "text": TEXT}, headers=JSON)).json()
        body = {"model": "bytes", "data": text["data"]}
        again = (await client.ask("POST", "/v1/decompress", body, headers=JSON)).json()
        other = await client.ask("POST", "/v1/decompress?model=chars", packed)
        junk = await client.ask("POST", "/v1/decompress", {"data": "!"}, headers=JSON)
        return packed, back, text, again, other, junk

    packed, back, text, again, other, junk = served(work)
    assert back == raw
    assert len(packed) < len(raw)
    assert again["text"] == TEXT
    assert len(base64.b64decode(text["data"])) == text["bytes"]
    assert other.status == 400
    assert junk.json()["error"]["message"] == "data is not base64"


def test_an_archive_unpacks_within_the_limit():
    async def pack(client):
        return (await client.ask("POST", "/v1/compress?model=bytes", b"a" * 100_000)).body

    packed = served(pack)

    async def work(client):
        return await client.ask("POST", "/v1/decompress?model=bytes", packed)

    assert len(packed) < 10_000
    answered = served(work, limits=Limits(body=50_000))
    assert (answered.status, answered.json()["error"]["message"]) == (
        413,
        "the archive unpacks to more than 50,000 bytes",
    )


def test_metrics_are_prometheus_text():
    async def work(client):
        for _ in range(3):
            await client.post("/v1/completions", {"model": "chars", "prompt": "the ", "max_tokens": 5})
        return (await client.get("/metrics")).body.decode()

    lines = served(work).splitlines()
    kinds = {line.split()[2]: line.split()[3] for line in lines if line.startswith("# TYPE")}
    samples = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert all(name.startswith("elman_") for name in kinds)
    assert samples['elman_prompt_tokens_total{model="chars"}'] == "12"
    assert samples['elman_generation_tokens_total{model="chars"}'] == "15"
    assert samples['elman_request_success_total{model="chars",finished_reason="length"}'] == "3"
    assert samples["elman_num_requests_running"] == samples["elman_num_requests_waiting"] == "0"
    for name in ("time_to_first_token", "inter_token_latency", "e2e_request_latency", "request_queue_time"):
        counts = [int(v) for key, v in samples.items() if key.startswith(f"elman_{name}_seconds_bucket")]
        assert counts == sorted(counts)
        assert counts[-1] == int(samples[f'elman_{name}_seconds_count{{model="chars"}}']) == 3
    assert all(kinds[key.partition("{")[0]] for key in samples if "_seconds" not in key)


def test_models_and_the_schema():
    async def work(client):
        models = (await client.get("/v1/models")).json()["data"]
        one = (await client.get("/v1/models/small")).json()
        return models, one, (await client.get("/openapi.json")).json(), (await client.get("/")).headers

    models, one, schema, page = served(work)
    assert [model["id"] for model in models] == list(MODELS)
    assert one in models
    assert schema["openapi"] == "3.1.0"
    properties = schema["paths"]["/v1/completions"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    settings = {*elman.Sampling.__dataclass_fields__} - {"allowed_ids"}
    assert settings <= set(properties["properties"])
    assert "default-src 'none'" in page["content-security-policy"]


def test_the_schema_has_every_field_and_every_path(monkeypatch):
    """What the server looks for in a body, but for the fields that it refuses in any form."""
    looked: dict[str, set[str]] = {}

    async def work(client):
        schema, path = (await client.get("/openapi.json")).json(), ""
        get = Fields.get

        def noting(self, *names, **given):
            looked.setdefault(path, set()).update(names)
            return get(self, *names, **given)

        monkeypatch.setattr(Fields, "get", noting)
        bodies = {
            "/v1/completions": [{}, {"beam": 2, "n": 1}, {"model": "names", "new": 1}],
            "/v1/chat/completions": [{"messages": [{"content": "a"}], "logprobs": True}],
            "/v1/score": [{"text": "a"}], "/v1/after": [{}], "/v1/tokenize": [{}], "/v1/detokenize": [{}],
        }  # fmt: skip
        for path, some in bodies.items():
            for body in some:
                assert (await client.post(path, body)).status == 200
        for path in ("/v1/compress", "/v1/decompress"):
            await client.post(path, {}, headers={"Content-Type": "application/json"})
        return schema

    schema, app = served(work), create_app(MODELS)
    for path, names in looked.items():
        body = schema["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert names - {"corpus", "field", "check"} == set(body["properties"]), path
    routes = {str(getattr(route, "path", "")).replace(":path", "") for route in app.routes}
    assert {path for path in routes if path.startswith("/v1")} == set(schema["paths"])


def test_answers_are_what_the_schema_says():
    validator = pytest.importorskip("jsonschema", reason="jsonschema is not installed").Draft202012Validator

    async def work(client):
        schema = (await client.get("/openapi.json")).json()
        full = {"logprobs": 2, "prompt_logprobs": 1, "echo": True, "return_token_ids": True, "n": 2, "prompt": "a"}
        posts = [
            ("/v1/completions", {"model": "bytes", **full}), ("/v1/completions", {"beam": 2}),
            ("/v1/completions", {"temperature": "x"}),
            ("/v1/chat/completions", {"messages": [{"content": "a"}], "logprobs": True, "top_logprobs": 2}),
            *(("/v1/score", {"text": ["a b\n", ""], "by": by}) for by in ("symbols", "words", "lines")),
            ("/v1/after", {}), ("/v1/tokenize", {"text": "a"}), ("/v1/detokenize", {"tokens": [1]}),
        ]  # fmt: skip
        found = [(schema["paths"][path]["post"], await client.post(path, body)) for path, body in posts]
        for path, about in schema["paths"].items():
            if "get" in about and not path.endswith("metrics"):
                found.append((about["get"], await client.get(path.replace("{id}", "small"))))
        return schema, found

    schema, found = served(work)
    for about, answered in found:
        named = about["responses"][str(answered.status)]["content"]["application/json"]["schema"]
        validator({**schema, **named}).validate(answered.json())


def test_a_model_is_loaded_anew(tmp_path):
    path = tmp_path / "m.safetensors"
    elman.save(MODELS["chars"], path)
    app = create_app({"m": str(path)})

    async def work(client):
        async def text():
            answered = await client.post("/v1/completions", {"prompt": "the ", "seed": 1})
            return answered.json()["choices"][0]["text"], answered.json()["system_fingerprint"]

        first = await text()
        other = elman.load(path)
        other.output.bias[:] = np.arange(len(other.output.bias))  # type: ignore[union-attr]
        elman.save(other, path)  # type: ignore[arg-type]
        assert await text() == first
        app.state.reload()
        second = await text()
        path.write_bytes(b"nothing")
        with pytest.raises(ValueError, match=r"m\.safetensors"):
            app.state.reload()
        assert await text() == second, "the old one goes on"
        return first, second

    first, second = asgi.run(app, work)
    assert first[1] != second[1]
    assert first[0] != second[0]
