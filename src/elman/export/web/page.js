// The engine of WebAssembly for the page to write in, and the same for programs as window.elman.

// What a string of base64 holds, inflated.
async function inflated(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"))).arrayBuffer());
}

const ready = Promise.all([inflated(MODEL), inflated(WASM)]).then(([container, wasm]) => load(container, wasm));

window.elman = {
  generate: async (prompt = "", length = 200, seed = 0, settings = {}) => (await ready).generate(prompt, { ...settings, length, seed }),
  score: async (text) => (await ready).score(text),
  after: async (text, count) => (await ready).after(text, count),
  facts: ready.then((model) => ({ ...model.facts, ...CARD })),
};

const engine = (() => {
  // A symbol as the page takes it: a byte that is no character alone is called bytes:\xc3.
  const named = (model, id, text) => {
    if (model.facts.kind === "bytes" && id > 127) return `bytes:\\x${id.toString(16)}`;
    return model.facts.kind === "characters" && id === 0 ? "<unk>" : text;
  };
  return {
    info: async () => (await ready, { models: [CARD.name], kind: "wasm" }),
    generate: async (prompt, { n = 1, length, temperature, top_p = 0, top_k = 0, seed }, onToken, signal) => {
      const model = await ready, used = seed ?? crypto.getRandomValues(new Uint32Array(1))[0];
      const settings = { length, temperature, topP: top_p, topK: top_k, seed: used };
      await Promise.all(Array.from({ length: n }, async (_, stream) => {
        for await (const piece of model.stream(prompt, { ...settings, stream })) {
          onToken(stream, piece, used);
          await new Promise((go) => setTimeout(go));
          if (signal?.aborted) return;
        }
      }));
    },
    score: async (text) => {
      const model = await ready;
      return model.score(text).tokens.map(({ text, bits, id }) => ({ text: named(model, id, text), bits }));
    },
    after: async (text, n) => {
      const model = await ready;
      return model.after(text, n).map(({ text, id, p }) => ({ text: named(model, id, text), probability: p }));
    },
    command: (prompt, { length, temperature, top_p, seed }) =>
      `elman generate MODEL '${prompt.replaceAll("'", "'\\''")}' --length ${length} --temperature ${temperature}` +
      (top_p ? ` --top-p ${top_p}` : "") + ` --seed ${seed ?? "random"}`,
  };
})();

ready.then((model) => {
  for (const [name, value] of Object.entries({ ...model.facts, ...CARD })) {
    const row = document.getElementById("card").insertRow();
    row.insertCell().textContent = name;
    row.insertCell().textContent = String(value);
  }
}, (error) => {
  document.getElementById("status").textContent = `This browser cannot run the model: ${error.message}`;
}).then(() => { document.body.dataset.ready = ""; });
