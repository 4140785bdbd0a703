"""What OpenAI's own client reads from a server, as JSON."""

from __future__ import annotations

import json
import sys

import openai  # type: ignore[import-not-found]

client = openai.OpenAI(base_url=f"{sys.argv[1]}/v1", api_key="x", max_retries=0)
LINE = "Caf\u00e9 and na\u00efve words have bytes beyond ASCII."

asked = dict(
    model="english", prompt="The ", max_tokens=40, temperature=0.7, top_p=0.9, presence_penalty=0.2,
    frequency_penalty=0.1, seed=5, user="someone", n=1, best_of=1, echo=False, logprobs=3, stop=[],
    extra_body={"top_k": 20, "min_p": 0.01, "repetition_penalty": 1.1},
)  # fmt: skip
whole = client.completions.create(**asked)
chunks = list(client.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
assert all(chunk.system_fingerprint == whole.system_fingerprint for chunk in chunks)
streamed = [chunk.choices[0] for chunk in chunks if chunk.choices]
for name in ("tokens", "token_logprobs", "top_logprobs", "text_offset"):
    parts = [entry for choice in streamed for entry in getattr(choice.logprobs, name)]
    assert parts == getattr(whole.choices[0].logprobs, name), name
many = client.completions.create(model="english", prompt=["The ", "A "], max_tokens=9, seed=1, n=2)
echo = client.completions.create(model="english", prompt=LINE, max_tokens=0, echo=True, logprobs=0)
messages = [{"role": "user", "content": "Hello"}]
chat = client.chat.completions.create(model="english", messages=messages, max_tokens=20, seed=2)
talk = client.chat.completions.create(model="english", messages=messages, max_tokens=20, seed=2, stream=True)
said = "".join(chunk.choices[0].delta.content or "" for chunk in talk)
assert said == chat.choices[0].message.content
stop = client.completions.create(model="english", prompt="The ", max_tokens=200, seed=1, stop=[" the", "q"])
biased = client.completions.create(model="english", prompt="The ", max_tokens=5, logit_bias={"101": 100})
assert biased.choices[0].text == "eeeee"
try:
    client.completions.create(model="english", prompt="a", suffix="b")
    refused = ""
except openai.BadRequestError as error:
    refused = error.message
print(
    json.dumps(
        {
            "whole": whole.choices[0].text,
            "streamed": "".join(choice.text for choice in streamed),
            "usage": [whole.usage.prompt_tokens, whole.usage.completion_tokens, whole.usage.total_tokens],
            "last chunk": [len(chunks[-1].choices), chunks[-1].usage.total_tokens],
            "many": [choice.text for choice in many.choices],
            "echo": echo.choices[0].logprobs.token_logprobs,
            "chat": chat.choices[0].message.content,
            "models": [model.id for model in client.models.list()],
            "refused": refused,
            "stop": stop.choices[0].text,
        }
    )
)
