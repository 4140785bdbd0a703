// The engine over HTTP: every question is a request to the server that the page came from.
"use strict";

const engine = (() => {
  let key = "";
  const ask = async (path, body, signal) => {
    const headers = { "Content-Type": "application/json" };
    if (key) headers.Authorization = `Bearer ${key}`;
    const answer = await fetch(path, { method: body ? "POST" : "GET", headers, signal, body: body && JSON.stringify(body) });
    if (answer.ok) return answer;
    const error = new Error((await answer.json().catch(() => null))?.error?.message ?? `status ${answer.status}`);
    error.needsKey = answer.status === 401;
    throw error;
  };
  return {
    setKey: (given) => { key = given; },
    info: async () => {
      const { data } = await (await ask("v1/models")).json();
      return { models: data.map((model) => model.id), kind: "http" };
    },
    generate: async (prompt, options, onToken, signal) => {
      const { model, length, n, ...rest } = options;
      const body = { model, prompt, max_tokens: length, n, stream: true, ...rest };
      const reader = (await ask("v1/completions", body, signal)).body.pipeThrough(new TextDecoderStream()).getReader();
      for (let held = ""; ;) {
        const { value, done } = await reader.read();
        if (done) return;
        const events = (held + value).split("\n\n");
        held = events.pop();
        for (const event of events) {
          if (!event.startsWith("data: {")) continue;
          const found = JSON.parse(event.slice(6));
          if (found.error) throw new Error(found.error.message);
          for (const choice of found.choices) onToken(choice.index, choice.text, found.seed);
        }
      }
    },
    score: async (text, model, signal) => {
      if (!text) return [];
      const answer = await (await ask("v1/score", { model, text, by: "symbols" }, signal)).json();
      return answer.data[0].symbols.map((symbol) => ({ text: symbol.text, bits: symbol.bits }));
    },
    after: async (text, n, model, signal) => (await (await ask("v1/after", { model, text, n }, signal)).json()).data,
    command: (prompt, options) => {
      const { length, ...rest } = options;
      const body = JSON.stringify({ prompt, max_tokens: length, ...rest }).replaceAll("'", "'\\''");
      const header = key ? " -H 'Authorization: Bearer KEY'" : "";
      return `curl ${new URL("v1/completions", location.href)}${header} -d '${body}'`;
    },
  };
})();
