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
  compress: async (message) => (await ready).compress(message),
  decompress: async (code, most) => (await ready).decompress(Uint8Array.from(code), most),
  hidden: async (text, layer) => (await ready).hidden(text, layer),
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

// The message's code as hexadecimal digits, and that it comes back.
function showCode(model) {
  const message = document.getElementById("message").value, code = model.compress(message), size = new TextEncoder().encode(message).length;
  const digits = Array.from(code, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  document.getElementById("code").textContent = `${size} bytes \u2192 ${code.length}: ${digits}` +
    (model.decompress(code) === message ? ", which gives the message again" : ", which does not give the message again");
}

// The text, each character with the value of the chosen unit after it.
function showUnit(model) {
  const [layer, unit] = ["layer", "unit"].map((id) => document.getElementById(id)), text = document.getElementById("text").value.slice(-2000);
  layer.max = model.facts.layers, unit.max = model.facts.hidden;
  if (!layer.checkValidity() || !unit.checkValidity()) return;
  const values = model.hidden(text, layer.value - 1).map((hidden) => hidden[unit.value - 1]), ids = model.encode(text);
  document.getElementById("held").replaceChildren(...ids.map((id, i) => {
    const one = document.createElement("span"), value = values[i];
    one.textContent = model.decode([id]);
    one.className = `s${Math.min(9, Math.round(Math.abs(value) * 9))}`;
    one.title = value.toFixed(3);
    if (value < 0) one.style.textDecoration = "underline";
    return one;
  }));
}

ready.then((model) => {
  const shows = { message: showCode, layer: showUnit, unit: showUnit, text: showUnit };
  for (const [id, show] of Object.entries(shows)) document.getElementById(id).addEventListener("input", () => {
    if (id === "message" || document.getElementById("held").closest("details").open) show(model);
  });
  for (const [id, show] of [["code", showCode], ["held", showUnit]])
    document.getElementById(id).closest("details").addEventListener("toggle", ({ target }) => { if (target.open) show(model); });
  for (const [name, value] of Object.entries({ ...model.facts, ...CARD })) {
    const row = document.getElementById("card").insertRow();
    row.insertCell().textContent = name;
    row.insertCell().textContent = String(value);
  }
}, (error) => {
  document.getElementById("status").textContent = `This browser cannot run the model: ${error.message}`;
}).then(() => {
  performance.mark("ready");
  document.body.dataset.ready = "";
});
