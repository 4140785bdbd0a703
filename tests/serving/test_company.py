"""Many clients at once: each answer has the bits of the same request alone, whoever else asks, joins or leaves."""

from __future__ import annotations

import asyncio
import os
import random
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the extra elman[serve] is not installed")
import asgi
from test_completions import MODELS

from elman.serving import Limits, create_app

REQUESTS = int(os.environ.get("ELMAN_SERVING_REQUESTS", "200"))
CLIENTS = 64
WORDS = ["the ", "sea.", "tra", "anna", "o", "", "né", "home", "\n"]


def mixed(count: int) -> list[dict[str, Any]]:
    """Requests of every kind, of which some are repeated."""
    draw = random.Random(7)
    bodies = []
    for seed in range(count):
        model = draw.choice(list(MODELS))
        prompt: Any = "".join(draw.choices(WORDS, k=draw.randint(0, 12))) * draw.choice([1, 1, 1, 40])
        body: dict[str, Any] = {"model": model, "seed": seed % 97, "max_tokens": draw.choice([0, 1, 7, 30, 90])}
        body["prompt"] = [prompt, "the "] if draw.random() < 0.2 else prompt
        body |= draw.choice(
            [{}, {"temperature": 0}, {"top_k": 3, "temperature": 0.5}, {"top_p": 0.7}, {"frequency_penalty": 0.7},
             {"repetition_penalty": 1.4, "presence_penalty": 1}, {"logit_bias": {"3": 4, "a": 1}}]
        )  # fmt: skip
        body |= draw.choice([{}, {"logprobs": 2}, {"logprobs": 1, "echo": True}, {"prompt_logprobs": 2}, {"n": 3}])
        body |= draw.choice([{}, {}, {"stop": ["a", "el", "wn"]}])
        bodies.append(body)
    return bodies


def meaning(answer: dict[str, Any]) -> Any:
    """All that is a function of the request."""
    return {key: answer[key] for key in ("model", "system_fingerprint", "seed", "choices", "usage")}


async def whole(client: asgi.Client, body: dict[str, Any]) -> Any:
    answered = await client.post("/v1/completions", body)
    assert answered.status == 200, answered.body
    return meaning(answered.json())


async def streamed(client: asgi.Client, body: dict[str, Any]) -> Any:
    """The same from a stream."""
    answered = await client.post("/v1/completions", body | {"stream": True, "stream_options": {"include_usage": True}})
    *events, last = answered.events()
    choices: dict[int, Any] = {}
    for event in events:
        (part,) = event["choices"]
        choice = choices.setdefault(part["index"], part | {"text": "", "logprobs": None})
        choice["text"] += part["text"]
        choice |= {key: part[key] for key in ("finish_reason", "stop_reason")}
        if part["logprobs"] is not None:
            before = choice["logprobs"] or {key: [] for key in part["logprobs"]}
            choice["logprobs"] = {key: before[key] + part["logprobs"][key] for key in before}
    return meaning(events[0] | {"choices": [choices[i] for i in sorted(choices)], "usage": last["usage"]})


def test_64_clients_get_what_each_gets_alone():
    bodies, app = mixed(REQUESTS), create_app(MODELS, limits=Limits(prefixes=1 << 20))
    draw = random.Random(3)

    async def alone(client):
        return [await whole(client, body) for body in bodies]

    async def together(client):
        found: dict[int, Any] = {}
        left = list(enumerate(bodies))

        async def ask():
            while left:
                number, body = left.pop()
                if draw.random() < 0.3:  # one who leaves in the midst of it, or before it has begun
                    await client.post("/v1/completions", body, leave=draw.choice([0.0, 0.001, 0.01]))
                if draw.random() < 0.1:
                    await client.post("/v1/completions", body | {"stream": True}, leave=lambda a: len(a.parts) > 1)
                ask_as = streamed if draw.random() < 0.4 and "prompt_logprobs" not in body else whole
                found[number] = await ask_as(client, body)

        await asyncio.gather(*(ask() for _ in range(CLIENTS)))
        await settled(app)
        return [found[number] for number in range(len(bodies))]

    want = asgi.run(create_app(MODELS, limits=Limits(rows=1, prefixes=0)), alone)
    assert asgi.run(app, together) == want
    assert len({str(answer["choices"]) for answer in want}) > len(want) / 2


async def settled(app: Any) -> None:
    """Nothing is left of those who left."""
    for _ in range(500):
        batcher = app.state.batcher
        if not (batcher.running or batcher.waiting or batcher._jobs or batcher._batches):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{batcher.running} requests still run")


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_left_frees_its_rows(stream):
    app = create_app(MODELS, limits=Limits(max_tokens=10**9, rows=2, numbers=10**12))
    endless = {"model": "chars", "max_tokens": 10**9, "n": 2, "stream": stream}

    async def work(client):
        await client.post("/v1/completions", endless, leave=0.2)
        answered = await asyncio.wait_for(client.post("/v1/completions", {"model": "chars"}), 20)
        await settled(app)
        return answered.status

    assert asgi.run(app, work) == 200


def test_too_many_are_told_to_come_again():
    app = create_app(MODELS, limits=Limits(max_tokens=10**9, rows=1, queue=2))
    batcher = app.state.batcher

    async def work(client):
        tasks = []
        for counts in ((1, 0), (1, 1), (1, 2)):
            tasks.append(asyncio.create_task(client.post("/v1/completions", {"model": "chars", "max_tokens": 10**9})))
            while (batcher.running, batcher.waiting) != counts:
                await asyncio.sleep(0.001)
        refused = [await client.post("/v1/completions", {"model": "chars"}) for _ in range(2)]
        app.state.end("abort")
        return await asyncio.gather(*tasks), refused

    ended, refused = asgi.run(app, work)
    assert [(each.status, each.json()["choices"][0]["finish_reason"]) for each in ended] == [(200, "abort")] * 3
    for each in refused:
        assert (each.status, each.headers["retry-after"]) == (429, "1")
        assert "2 requests wait already" in each.json()["error"]["message"]


def test_what_is_written_in_its_time_is_the_answer():
    app = create_app(MODELS, limits=Limits(max_tokens=10**9, seconds=1.0))
    answered = asgi.run(app, lambda client: client.post("/v1/completions", {"model": "chars", "max_tokens": 10**9}))
    [choice] = answered.json()["choices"]
    assert choice["finish_reason"] == "timeout"
    assert len(choice["text"]) == answered.json()["usage"]["completion_tokens"] > 0


def test_a_long_prompt_does_not_stop_the_others():
    app = create_app(MODELS)

    async def work(client):
        long = asyncio.create_task(client.post("/v1/completions", {"model": "chars", "prompt": "the sea " * 15_000}))
        done = 0
        while not long.done():
            assert (await client.post("/v1/completions", {"model": "bytes", "max_tokens": 2})).status == 200
            done += 1
        assert long.result().status == 200
        return done

    assert asgi.run(app, work) > 10


def test_texts_end_with_a_reason_when_the_server_does():
    app = create_app(MODELS, limits=Limits(max_tokens=10**9, rows=2))

    async def work(client):
        bodies = [{"model": "chars", "max_tokens": 10**9, "stream": stream} for stream in (True, False, True)]
        tasks = [asyncio.create_task(client.post("/v1/completions", body)) for body in bodies]
        await asyncio.sleep(0.3)
        app.state.end("abort")
        return await asyncio.gather(*tasks)

    first, second, waiting = asgi.run(app, work)
    assert first.events()[-1]["choices"][0]["finish_reason"] == "abort"
    assert second.json()["choices"][0]["finish_reason"] == "abort"
    assert waiting.events()[-1]["choices"][0] == {
        "index": 0, "text": "", "logprobs": None, "finish_reason": "abort", "stop_reason": None,
    }  # fmt: skip


def test_silence_is_broken_by_comments():
    app = create_app(MODELS, limits=Limits(max_tokens=10**9, rows=1, seconds=0.6, alive_seconds=0.1))

    async def work(client):
        tasks = []
        for _ in range(2):
            tasks.append(
                asyncio.create_task(
                    client.post("/v1/completions", {"model": "chars", "max_tokens": 10**9, "stream": True})
                )
            )
            await asyncio.sleep(0.1)
        return (await asyncio.gather(*tasks))[1]

    answered = asgi.run(app, work)
    assert answered.body.startswith(b": ")
    assert answered.events()[-1]["choices"][0]["finish_reason"] == "timeout"
