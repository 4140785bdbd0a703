// A model in JavaScript: libelman as WebAssembly, and the model's plain container. The bits are those of Elman in Python.
//
//   const model = await load(container, wasm);
//   model.generate("the ", { length: 200, seed: 7 });
//   for await (const piece of model.stream("the ")) ...

/** The functions of a module. wasm: its bytes. */
export async function instantiate(wasm) {
  let memory = null;
  const zeros = (...places) => (places.forEach((at) => new DataView(memory.buffer).setUint32(at, 0, true)), 0);
  const system = { environ_sizes_get: zeros, environ_get: () => 0, proc_exit: () => { throw new Error("the module gave up: out of memory"); } };
  const imports = { wasi_snapshot_preview1: new Proxy(system, { get: (known, name) => known[name] ?? (() => 0) }) };
  const { instance } = await WebAssembly.instantiate(wasm, imports);
  memory = instance.exports.memory;
  instance.exports._initialize();
  return instance.exports;
}

/** What the library says was wrong. */
export function failure(c) {
  const at = c.elman_error(), bytes = new Uint8Array(c.memory.buffer);
  return new Error(new TextDecoder().decode(bytes.slice(at, bytes.indexOf(0, at))));
}

/** Open a model. container, wasm: bytes; cutter: of subwords.js, which a model of subwords needs to read a text. */
export async function load(container, wasm, cutter) {
  return new Model(await instantiate(wasm), new Uint8Array(container), cutter);
}

// A mark at the beginning is a character like any other.
const utf8 = () => new TextDecoder("utf-8", { ignoreBOM: true });

/** A text as models read it; how: "book" or "none". */
export function normalised(text, how) {
  return how === "book" ? text.toLowerCase().replace(/[\p{White_Space}\x1c-\x1f]+/gu, " ") : text;
}

// The lines of records, each with its end, as models read them.
function records(text, how) {
  const lines = text.replaceAll("\r\n", "\n").replace(/\n?$/, "\n").split(/(?<=\n)/);
  return how === "book" ? lines.map((line) => `${normalised(line, how).replace(/^ | $/g, "")}\n`) : lines;
}

export class Model {
  #c;
  #model;
  #ids = 0; // room for #room ids
  #room = 0;
  #tokens = [];
  #texts = []; // of each token alone
  #of = new Map();
  #cut = null;
  #codec = 0; // made when a message comes

  constructor(c, container, cutter) {
    this.#c = c;
    const cut = cutter?.(container), whole = cut?.size ?? container.length, bytes = c.malloc(whole), facts = c.malloc(40);
    new Uint8Array(c.memory.buffer).set(container.subarray(0, whole), bytes);
    this.#model = c.elman_open(bytes, BigInt(whole));
    c.free(bytes);
    if (!this.#model) this.#fail();
    c.elman_facts_of(this.#model, facts);
    const [cell, layers, hidden, vocab, embedding, bits, start, kind, normalisation, records] = new Int32Array(c.memory.buffer, facts, 10);
    c.free(facts);
    /** What the model is; `kind` of tokens: characters, bytes or subwords. */
    this.facts = { cell: ["rnn_relu", "rnn_tanh", "gru", "lstm"][cell], layers, hidden, vocab, embedding, bits, start, kind: ["characters", "bytes", "subwords"][kind], normalisation: ["none", "book"][normalisation], records: records === 1 };
    const size = c.malloc(8), decoder = utf8();
    for (let id = 0; id < vocab; ++id) {
      const at = c.elman_token(this.#model, BigInt(id), size), length = Number(new BigInt64Array(c.memory.buffer, size, 1)[0]);
      const token = new Uint8Array(c.memory.buffer, at, length).slice();
      this.#tokens.push(token);
      this.#texts.push(kind === 0 && !length ? "\ufffd" : decoder.decode(token));
      if (kind === 0 && length) this.#of.set(this.#texts[id], id);
    }
    c.free(size);
    this.#cut = cut?.cut(this.#tokens);
  }

  /** Give the memory back; the model is of no use afterwards. */
  close() {
    if (this.#codec) this.#c.elman_codec_free(this.#codec);
    this.#codec = 0;
    this.#c.elman_close(this.#model);
    this.#model = 0;
  }

  /** The ids of a text, which is normalised first. */
  encode(text) {
    return this.#idsOf(this.normalise(text));
  }
  #idsOf(normal) {
    if (this.facts.kind === "characters") return Array.from(normal, (character) => this.#of.get(character) ?? 0);
    if (this.facts.kind === "bytes") return Array.from(new TextEncoder().encode(normal));
    if (!this.#cut) throw new Error("a plain container does not say how its model cuts a text: take that of elman export js");
    return this.#cut(normal);
  }

  /** The text of ids; an unknown character is U+FFFD. */
  decode(ids) {
    return this.facts.kind === "characters" ? ids.map((id) => this.#texts[id]).join("") : utf8().decode(this.bytes(ids));
  }

  /** The bytes of ids, as UTF-8. */
  bytes(ids) {
    return Uint8Array.from(ids.flatMap((id) => Array.from(this.#tokens[id])));
  }

  /** A text as the model reads it. */
  normalise(text) {
    return normalised(text, this.facts.normalisation);
  }

  /** What follows a prompt: the text of `elman generate --seed`. A model of records writes one record. */
  generate(prompt = "", { length = 200, seed = 0, temperature = 1, topK = 0, topP = 0, stream = 0 } = {}) {
    return this.#with(prompt, (state) => this.decode(this.#write(state, { length, seed, temperature, topK, topP, stream })));
  }

  /** The same, in pieces as they come. */
  async *stream(prompt = "", { length = 200, seed = 0, temperature = 1, topK = 0, topP = 0, stream = 0, step = 20 } = {}) {
    const state = this.#begin(prompt), decoder = utf8();
    try {
      for (let at = 0; at < length; at += step) {
        const count = Math.min(step, length - at), ids = this.#write(state, { length: count, seed, temperature, topK, topP, stream, from: at });
        const piece = this.facts.kind === "characters" ? this.decode(ids) : decoder.decode(this.bytes(ids), { stream: true });
        if (piece) yield piece;
        if (ids.length < count) break;
        await null;
      }
      const rest = decoder.decode();
      if (rest) yield rest;
    } finally {
      this.#c.elman_state_free(state);
    }
  }

  /** The cost of a text: { bits, tokens: [{ text, bits, id }] }. Of records, each line is a text by itself. */
  score(text) {
    const parts = this.facts.records ? records(text, this.facts.normalisation) : [this.normalise(text)];
    const tokens = parts.flatMap((part) => this.#with("", (state) => this.#cost(state, this.#idsOf(part))));
    return { bits: tokens.reduce((sum, token) => sum + token.bits, 0), tokens };
  }

  /** What may come after a text, likeliest first: [{ text, id, p }]. */
  after(text, count = 12) {
    const p = this.#with(text, (state) => {
      const at = this.#c.malloc(8 * this.facts.vocab);
      this.#c.elman_distribution(state, at);
      const found = new Float64Array(this.#c.memory.buffer, at, this.facts.vocab).slice();
      this.#c.free(at);
      return found;
    });
    const order = Array.from(p.keys()).filter((id) => this.#tokens[id].length).sort((a, b) => p[b] - p[a] || a - b);
    return order.slice(0, count).map((id) => ({ text: this.#texts[id], id, p: p[id] }));
  }

  /** The code of a short message, a text or bytes: the bytes of `elman message encode -m`. */
  compress(message) {
    const bytes = typeof message === "string" ? new TextEncoder().encode(message) : message;
    return this.#message(bytes, bytes.length + 1, this.#c.elman_codec_encode);
  }

  /** The message of a code, as bytes; most: its largest size. Throws where no such message has it. */
  decompressBytes(code, most = 65536) {
    return this.#message(code, most, this.#c.elman_codec_decode);
  }

  /** The same, as a text. */
  decompress(code, most = 65536) {
    return utf8().decode(this.decompressBytes(code, most));
  }

  /** The hidden state of a layer after each token of a text: [Float32Array, ...]. */
  hidden(text, layer = 0) {
    const c = this.#c, { hidden: size } = this.facts, to = c.malloc(4 * size);
    try {
      return this.#with("", (state) => this.encode(text).map((id) => {
        if (c.elman_step(state, BigInt(id)) || c.elman_hidden(state, layer, to)) this.#fail();
        return new Float32Array(c.memory.buffer, to, size).slice();
      }));
    } finally {
      c.free(to);
    }
  }

  #message(bytes, room, call) {
    const c = this.#c;
    this.#codec ||= c.elman_codec_new(this.#model, 0, 0n);
    if (!this.#codec) this.#fail();
    const from = c.malloc(bytes.length + 1), to = c.malloc(room + 1);
    try {
      new Uint8Array(c.memory.buffer).set(bytes, from);
      const size = Number(call(this.#codec, from, BigInt(bytes.length), to, BigInt(room)));
      if (size < 0) this.#fail();
      return new Uint8Array(c.memory.buffer, to, size).slice();
    } finally {
      c.free(from), c.free(to);
    }
  }
  #fail() {
    throw failure(this.#c);
  }
  #with(prompt, use) {
    const state = this.#begin(prompt);
    try {
      return use(state);
    } finally {
      this.#c.elman_state_free(state);
    }
  }
  #begin(prompt) {
    const state = this.#c.elman_state_new(this.#model), ids = this.encode(prompt);
    if (this.#c.elman_read(state, this.#put(ids), BigInt(ids.length))) this.#fail();
    return state;
  }
  #place(count) {
    if (count > this.#room) {
      if (this.#ids) this.#c.free(this.#ids);
      this.#ids = this.#c.malloc(8 * count);
      this.#room = count;
    }
    return this.#ids || (this.#ids = this.#c.malloc(8 * (this.#room = 1)));
  }
  #put(ids) {
    const at = this.#place(ids.length);
    new BigInt64Array(this.#c.memory.buffer, at, ids.length).set(ids.map(BigInt));
    return at;
  }
  #write(state, { length, seed, temperature, topK, topP, stream, from = 0 }) {
    const c = this.#c, how = c.malloc(40), made = [];
    const end = this.facts.records ? this.#idsOf("\n")[0] : -1, most = this.facts.records ? 32 : 4096;
    try {
      const view = new DataView(c.memory.buffer, how, 40);
      view.setFloat64(0, temperature, true), view.setBigInt64(8, BigInt(topK), true), view.setFloat64(16, topP, true);
      view.setBigUint64(24, BigInt(seed), true), view.setBigUint64(32, BigInt(stream), true);
      while (made.length < length) {
        const count = Math.min(most, length - made.length), at = this.#place(count);
        if (c.elman_generate(state, how, BigInt(from + made.length), BigInt(count), at)) this.#fail();
        for (const id of new BigInt64Array(c.memory.buffer, at, count)) {
          if (Number(id) === end) return made;
          made.push(Number(id));
        }
      }
      return made;
    } finally {
      c.free(how);
    }
  }
  #cost(state, ids) {
    const c = this.#c, at = this.#put(ids), nats = c.malloc(8 * ids.length + 8);
    try {
      if (c.elman_score(state, at, BigInt(ids.length), nats)) this.#fail();
      const cost = new Float64Array(c.memory.buffer, nats, ids.length);
      return ids.map((id, i) => ({ text: this.#texts[id], bits: cost[i] / Math.LN2, id }));
    } finally {
      c.free(nats);
    }
  }
}
