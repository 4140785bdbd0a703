// The engine of WebAssembly for the page to write in, and the same for programs as window.elman.

// What a string of base64 holds, inflated.
async function inflated(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"))).arrayBuffer());
}

const ready = Promise.all([inflated(MODEL), inflated(WASM)]).then(([container, wasm]) => load(container, wasm, window.cutter));

const byId = (id) => document.getElementById(id);
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
  // A symbol as the page takes it: bytes that are no text alone are called bytes:\xc3.
  const named = (model, id, text) => {
    if (model.facts.kind === "characters") return id ? text : "<unk>";
    return text.includes("\ufffd") ? `bytes:${Array.from(model.bytes([id]), (byte) => `\\x${hex(byte)}`).join("")}` : text;
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

const hex = (byte) => byte.toString(16).padStart(2, "0");

// The message's code as hexadecimal digits, and that it comes back; or why the model has none.
function coded(model, message) {
  try {
    const code = model.compress(message), size = new TextEncoder().encode(message).length, same = model.decompress(code) === message;
    return `${size} bytes \u2192 ${code.length}: ${Array.from(code, hex).join(" ")}, which ${same ? "gives" : "does not give"} the message again`;
  } catch (error) {
    return error.message;
  }
}
const showCode = (model) => { byId("code").textContent = coded(model, byId("message").value); };

// The text, each token with the value of the chosen unit after it; a character shows where its last byte is read.
function showUnit(model) {
  const [layer, unit] = ["layer", "unit"].map(byId), text = byId("text").value.slice(-2000);
  layer.max = model.facts.layers, unit.max = model.facts.hidden;
  if (!layer.checkValidity() || !unit.checkValidity()) return;
  const values = model.hidden(text, layer.value - 1).map((hidden) => hidden[unit.value - 1]), ids = model.encode(text), decoder = new TextDecoder();
  const shown = (id) => (model.facts.kind === "characters" ? model.decode([id]) : decoder.decode(model.bytes([id]), { stream: true }));
  byId("held").replaceChildren(...ids.map((id, i) => {
    const one = document.createElement("span"), value = values[i];
    one.textContent = shown(id);
    one.className = `s${Math.min(9, Math.round(Math.abs(value) * 9))}`;
    one.title = value.toFixed(3);
    if (value < 0) one.style.textDecoration = "underline";
    return one;
  }));
}

ready.then((model) => {
  const shows = { message: showCode, layer: showUnit, unit: showUnit, text: showUnit };
  for (const [id, show] of Object.entries(shows)) byId(id).addEventListener("input", () => {
    if (id === "message" || byId("held").closest("details").open) show(model);
  });
  for (const [id, show] of [["code", showCode], ["held", showUnit]])
    byId(id).closest("details").addEventListener("toggle", ({ target }) => { if (target.open) show(model); });
  for (const [name, value] of Object.entries({ ...model.facts, ...CARD })) {
    const row = byId("card").insertRow();
    row.insertCell().textContent = name;
    row.insertCell().textContent = String(value);
  }
}, (error) => {
  byId("status").textContent = `This browser cannot run the model: ${error.message}`;
}).then(() => {
  performance.mark("ready");
  document.body.dataset.ready = "";
});
