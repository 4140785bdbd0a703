// Training in JavaScript: what `elman train` does with a text, by libelman as WebAssembly, and with its bits. On all that decides a
// bit only additions, multiplications and divisions of doubles work here; libm's functions, which differ, are for what is shown.
import { Model, failure, normalised } from "./engine.js";
import { digest, fromSafetensors, toSafetensors } from "./safetensors.js";

const CELLS = ["rnn_relu", "rnn_tanh", "gru", "lstm"], GATES = [1, 1, 3, 4], OPTIMIZERS = { sgd: 0, adam: 1, adamw: 1, muon: 2 };
const EPOCHS = 1n << 32n, DROPOUT = 0xd8090047d8090047n;
const SETTINGS_BYTES = 80, UNKNOWN = "<unk>";
const code = (character) => character.codePointAt(0);

/** Symbols of a text, without what every vocabulary has: characters by falling frequency, ties in their order. */
export function symbolsOf(text) {
  const counts = new Map();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  return [UNKNOWN, ...[...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a) || code(a) - code(b))];
}

/** The learning rate of a step; fraction: of the whole work before it. As training/schedule.py. */
export function learningRate({ lr, schedule, warmup }, step, fraction) {
  const warm = warmup ? Math.min(1, step / warmup) : 1;
  if (schedule === "linear") return lr * warm * (1 - fraction);
  if (schedule !== "cosine") return lr * warm;
  const angle = 3.141592653589793 * (fraction - 0.5), square = angle * angle;
  let series = 0;
  for (let k = 23; k > 1; k -= 2) series = (1 + series) * -square / (k * (k - 1));
  return lr * warm * ((1 - angle * (1 + series)) / 2);
}

const whole = (value, least) => Number.isInteger(value) && value >= least && value < 2 ** 31;
function check(recipe) {
  const refuse = (why) => { throw new Error(why); };
  for (const name of ["hidden_size", "num_layers", "epochs", "batch_size", "seq_length"])
    if (!whole(recipe[name], 1)) refuse(`${name} is ${recipe[name]}; expected a whole number of at least 1`);
  if (!CELLS.includes(recipe.cell)) refuse(`cell is ${recipe.cell}; expected one of ${CELLS.join(", ")}`);
  if (!(recipe.optimizer in OPTIMIZERS)) refuse(`optimizer is ${recipe.optimizer}; expected one of ${Object.keys(OPTIMIZERS).join(", ")}`);
  if (!["constant", "linear", "cosine"].includes(recipe.schedule)) refuse(`schedule is ${recipe.schedule}; expected constant, linear or cosine`);
  if (!["none", "book"].includes(recipe.normalisation)) refuse(`normalisation is ${recipe.normalisation}; expected none or book`);
  if (!(recipe.lr > 0 && recipe.lr < Infinity)) refuse(`lr is ${recipe.lr}; expected a number above 0`);
  if (!(recipe.val_fraction >= 0 && recipe.val_fraction < 1)) refuse(`val_fraction is ${recipe.val_fraction}; expected 0 or more, below 1`);
  if (!(Number.isInteger(recipe.seed) && recipe.seed >= 0)) refuse(`seed is ${recipe.seed}; expected a whole number of at least 0`);
  const others = { tokens: "chars", partition: "sequential", shards: 1, patience: null };
  for (const [name, only] of Object.entries(others))
    if ((recipe[name] ?? only) !== only) refuse(`${name} is ${recipe[name]}; a page trains with ${only}, elman train with more`);
}

/** The weights of a model, with the memory of its training. */
class Weights {
  constructor(c, cell, symbols, { layers, hidden, embedding }) {
    Object.assign(this, { c, cell, symbols, layers, hidden, embedding });
    this.shapes = this.#shapes();
    const shape = c.malloc(20);
    new Int32Array(c.memory.buffer, shape, 5).set([CELLS.indexOf(cell), layers, hidden, symbols.length, embedding]);
    this.trainer = c.elman_trainer_new(shape);
    c.free(shape);
    if (!this.trainer) throw failure(c);
  }

  // Names and shapes as torch has them, in the order of the library.
  #shapes() {
    const V = this.symbols.length, H = this.hidden, rows = GATES[CELLS.indexOf(this.cell)] * H, found = [];
    if (this.embedding) found.push(["embedding.weight", [V, this.embedding]]);
    for (let l = 0; l < this.layers; ++l) {
      found.push([`layer.weight_ih_l${l}`, [rows, l ? H : this.embedding || V]], [`layer.weight_hh_l${l}`, [rows, H]]);
      found.push([`layer.bias_ih_l${l}`, [rows]], [`layer.bias_hh_l${l}`, [rows]]);
    }
    return [...found, ["output.weight", [V, H]], ["output.bias", [V]]];
  }

  /** A view of weights that is valid until the next call. */
  at(index) {
    const size = this.c.malloc(8), at = this.c.elman_trainer_weight(this.trainer, BigInt(index), size);
    const count = Number(new BigInt64Array(this.c.memory.buffer, size, 1)[0]);
    this.c.free(size);
    return new Float32Array(this.c.memory.buffer, at, count);
  }

  /** Call with the average in the weights' place, where one is kept. */
  settled(use) {
    this.c.elman_trainer_swap(this.trainer);
    try {
      return use();
    } finally {
      this.c.elman_trainer_swap(this.trainer);
    }
  }

  tensors() {
    return this.settled(() => this.shapes.map(([name, shape], i) => ({ name, shape, data: this.at(i).slice() })));
  }

  /** The plain container, as `elman export plain` writes it. */
  container(normalisation) {
    const { c, symbols } = this, tokens = symbols.map((symbol, id) => (id ? new TextEncoder().encode(symbol) : new Uint8Array(0)));
    const size = tokens.reduce((sum, token) => sum + token.length, 0);
    const facts = c.malloc(40), starts = c.malloc(4 * symbols.length + 4), bytes = c.malloc(size + 1);
    new Int32Array(c.memory.buffer, facts, 10).set([0, 0, 0, 0, 0, 0, Math.max(0, symbols.indexOf("\n")), 0, normalisation === "book" ? 1 : 0, 0]);
    const view = new Uint32Array(c.memory.buffer, starts, symbols.length + 1), to = new Uint8Array(c.memory.buffer, bytes, size);
    view[0] = 0;
    tokens.forEach((token, i) => { to.set(token, view[i]); view[i + 1] = view[i] + token.length; });
    return this.settled(() => {
      const length = c.elman_trainer_container(this.trainer, facts, starts, bytes, 0, 0n), place = c.malloc(Number(length));
      c.elman_trainer_container(this.trainer, facts, starts, bytes, place, length);
      const made = new Uint8Array(c.memory.buffer, place, Number(length)).slice();
      [facts, starts, bytes, place].forEach(c.free);
      return made;
    });
  }

  close() {
    this.c.elman_trainer_free(this.trainer);
    this.trainer = 0;
  }
}

/** A training: `step` until `done`. Between steps it has a model, a digest and a file. */
export class Training {
  #places = 0;

  /** c: from instantiate(wasm). recipe: all settings of a recipe of Elman's. from: an earlier training or a loaded model, to train on. */
  constructor(c, text, recipe, name = "a text", from = null) {
    check(recipe);
    this.c = c;
    this.recipe = recipe;
    const read = normalised(text, recipe.normalisation), characters = Array.from(read);
    this.corpus = { name, source: "a page of elman export lab", characters: characters.length };
    const symbols = from?.symbols ?? symbolsOf(characters), of = new Map(symbols.map((symbol, id) => [symbol, id]));
    const ids = Int32Array.from(characters, (character) => of.get(character) ?? 0);
    const cut = ids.length - Math.trunc(ids.length * recipe.val_fraction);
    this.ids = ids.subarray(0, cut);
    this.heldOut = characters.slice(cut).join("");
    const { batch_size: B, seq_length: T } = recipe;
    this.perEpoch = Math.max(0, Math.floor(Math.floor((cut - T) / B) / T)); // steps that every epoch has
    if (!this.perEpoch) throw new Error(`the text is too short: ${cut} characters to train on, but batch_size ${B} x seq_length ${T} needs ${(B + 1) * T}`);
    this.weights = from ?? new Weights(c, recipe.cell, symbols, {
      layers: recipe.num_layers, hidden: recipe.hidden_size, embedding: recipe.embedding_size ?? 0 });
    if (!from && c.elman_initialise(this.weights.trainer, BigInt(recipe.seed), recipe.init_std || 0)) throw failure(c);
    this.#places = c.malloc(2 * 8 * B * T + SETTINGS_BYTES + 16);
    this.steps = 0;
    this.log = [];
    this.#begin(1);
  }

  get done() {
    return this.epoch > this.recipe.epochs;
  }

  #begin(epoch) {
    const { batch_size: B, seq_length: T, seed } = this.recipe;
    const offset = Number(BigInt.asUintN(64, this.c.elman_random(BigInt(seed), EPOCHS + BigInt(epoch), 0n)) % BigInt(T));
    const perRow = Math.floor((this.ids.length - offset - 1) / B);
    this.epoch = epoch;
    this.window = { offset, perRow, start: 0, count: 0, nats: 0 };
  }

  /** The share of the work that is done. */
  get fraction() {
    const size = this.perEpoch * this.recipe.batch_size * this.recipe.seq_length;
    return (this.epoch - 1 + Math.min(this.window.count / size, 1)) / this.recipe.epochs;
  }

  /** A step; the line of the epoch where it was the epoch's last, else null. */
  step() {
    const { c, recipe, window } = this, { batch_size: B, seq_length: T } = recipe;
    const inputs = this.#places, targets = inputs + 8 * B * T, how = targets + 8 * B * T, result = how + SETTINGS_BYTES;
    const view = new Int32Array(c.memory.buffer, inputs, 4 * B * T);
    for (let t = 0; t < T; ++t) {
      for (let b = 0; b < B; ++b) {
        const from = window.offset + b * window.perRow + window.start + t, to = 2 * (t * B + b);
        view[to] = this.ids[from];
        view[to + 2 * B * T] = this.ids[from + 1];
        view[to + 1] = view[to + 1 + 2 * B * T] = 0; // the upper halves of int64
      }
    }
    this.#settings(how);
    const given = [this.weights.trainer, BigInt(T), BigInt(B), inputs, targets, window.start ? 0 : 1, how, result, result + 8];
    if (c.elman_train_step(...given)) throw failure(c);
    window.nats += new Float64Array(c.memory.buffer, result, 1)[0] * B * T;
    window.count += B * T;
    window.start += T;
    ++this.steps;
    return window.start + T <= window.perRow ? null : this.#ended();
  }

  #settings(how) {
    const { recipe, c } = this, values = [
      learningRate(recipe, this.steps + 1, this.fraction), recipe.clip || 0,
      recipe.optimizer === "adamw" || recipe.optimizer === "muon" ? recipe.weight_decay : 0, recipe.average || 0,
      recipe.dropout || 0, recipe.hidden_dropout || 0, recipe.output_dropout || 0, recipe.weight_dropout || 0];
    new Int32Array(c.memory.buffer, how, 1)[0] = OPTIMIZERS[recipe.optimizer];
    new Float64Array(c.memory.buffer, how + 8, values.length).set(values);
    new BigUint64Array(c.memory.buffer, how + 72, 1)[0] = BigInt(recipe.seed) ^ DROPOUT;
  }

  #ended() {
    const { window, epoch, recipe } = this, nats = window.nats / window.count;
    this.#begin(epoch + 1);
    const line = { epoch, train_perplexity: Math.exp(nats), train_bits_per_char: nats / Math.LN2, val_bits_per_char: null, samples: {} };
    const samples = recipe.sample_every && (epoch === recipe.epochs || epoch % recipe.sample_every === 0) ? recipe.prompts : [];
    if (this.heldOut || samples.length) {
      const model = this.model();
      if (this.heldOut) line.val_bits_per_char = model.score(this.heldOut).bits / Array.from(this.heldOut).length;
      for (const prompt of samples) line.samples[prompt] = model.generate(prompt, { length: recipe.sample_length, temperature: 0 });
      model.close();
    }
    this.log.push(line);
    return line;
  }

  /** The model as it is now, to write and to score with. */
  model() {
    return new Model(this.c, this.weights.container(this.recipe.normalisation));
  }

  /** The digest that `elman train` prints for these weights. */
  digest() {
    return digest(this.weights.tensors());
  }

  /** The file that `elman generate` takes. */
  file() {
    const { weights: w, recipe, corpus, log } = this, last = log.at(-1);
    const header = {
      cell: w.cell, vocab_size: w.symbols.length, hidden_size: w.hidden, num_layers: w.layers, dropout: recipe.dropout || 0, bias: true,
      ...(w.embedding ? { embedding_size: w.embedding } : {}), vocabulary: { kind: "chars", symbols: w.symbols },
      normalisation: recipe.normalisation, records: false, needs: w.embedding ? ["embedding"] : [],
      run: { corpus, recipe, epochs_done: log.length, train_bits_per_char: last?.train_bits_per_char ?? null, val_bits_per_char: last?.val_bits_per_char ?? null },
    };
    return toSafetensors(header, w.tensors());
  }

  /** Give back what training took, but not the weights, which have a `close` themselves. */
  close() {
    this.c.free(this.#places);
    this.#places = 0;
  }
}

/** A model file's bytes as { weights, recipe }: what `Training` goes on from, and the settings that fit it. */
export async function loaded(c, bytes) {
  const { header, tensors } = await fromSafetensors(bytes);
  const { kind, symbols } = header.vocabulary;
  if (kind !== "chars" || header.records || !header.bias) throw new Error("this page trains models of one text's characters, with biases; this one is another");
  const sizes = { layers: header.num_layers, hidden: header.hidden_size, embedding: header.embedding_size ?? 0 };
  const weights = new Weights(c, header.cell, symbols, sizes);
  weights.shapes.forEach(([name, shape], i) => {
    const found = tensors.get(name);
    if (!found || String(found.shape) !== String(shape)) throw new Error(`the model file lacks ${name} of shape ${shape}`);
    weights.at(i).set(found.data);
  });
  const { cell, normalisation } = header;
  return { weights, recipe: { cell, normalisation, hidden_size: sizes.hidden, num_layers: sizes.layers, embedding_size: sizes.embedding || null } };
}
