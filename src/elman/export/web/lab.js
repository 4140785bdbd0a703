// The page that trains: its fields, its curve, and the same for programs as window.elman. The work is in a worker (lab_worker.js).
"use strict";

(() => {
  const byId = (id) => document.getElementById(id);
  const [text, status, curve] = ["text", "status", "curve"].map(byId);
  const FIELDS = ["cell", "hidden_size", "num_layers", "epochs", "batch_size", "seq_length", "optimizer", "lr", "seed"];
  const worker = new Worker(URL.createObjectURL(new Blob([WORKER], { type: "text/javascript" })));
  const waiting = new Map();
  let asked = 0, name = "traveller", log = [], watch = null, running = false, model = {}; // the present model's settings

  worker.onmessage = ({ data: { id, value, error, progress } }) => {
    if (progress) return (watch ?? shown)(progress);
    const { keep, drop } = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) keep(value);
    else drop(new Error(error));
  };
  worker.onerror = (event) => { status.textContent = `This browser cannot run the worker: ${event.message}`; };
  const ask = (call, given = {}) => new Promise((keep, drop) => {
    waiting.set(++asked, { keep, drop });
    worker.postMessage({ id: asked, call, given });
  });
  const ready = ask("begin", { floats: FLOATS, relaxed: RELAXED });

  // ---- what programs call ----
  const recipeOf = (given) => {
    const base = typeof given === "string" ? RECIPES[given] : given;
    if (!base) throw new Error(`there is no recipe ${given}; expected one of ${Object.keys(RECIPES).join(", ")}`);
    return base;
  };
  window.elman = {
    /** Options: text (the bundled story if left out), recipe ("book", "modern" or settings), further (train the present model on),
     * onEpoch(line), and any setting of a recipe. Keeps { done, digest, steps, epochs, perplexity, valBits, samples, seconds }. */
    train: async ({ text: of = STORY, recipe = "book", name: called = of === STORY ? "traveller" : "a text", further: on = false, onEpoch, ...settings } = {}) => {
      await ready;
      log = [];
      watch = (progress) => { shown(progress); if (progress.line) onEpoch?.(progress.line); };
      const chosen = { ...recipeOf(recipe), ...settings }, { cell, hidden_size, num_layers, embedding_size, normalisation } = chosen;
      if (!on) model = { cell, hidden_size, num_layers, embedding_size, normalisation };
      return ended(ask("train", { text: of, recipe: chosen, name: called, further: on }));
    },
    stop: () => ask("stop"),
    go: () => ended(ask("go")),
    generate: async (prompt = "", length = 200, seed = 0, settings = {}) => (await ready, ask("generate", { prompt, settings: { ...settings, length, seed } })),
    score: async (of) => (await ready, ask("score", { text: of })),
    file: async () => (await ready, ask("file")),
    load: async (bytes) => (await ready, ask("load", { bytes: new Uint8Array(bytes) })),
    facts: ready.then(({ relaxed }) => ({ ...ABOUT, relaxed })),
  };

  // ---- what is seen ----
  const buttons = () => {
    byId("train").hidden = running;
    byId("stop").hidden = !running;
  };
  async function ended(work) {
    running = true;
    byId("go").hidden = true;
    buttons();
    try {
      const found = await work;
      byId("go").hidden = found.done;
      byId("progress").value = found.done ? 1 : byId("progress").value;
      status.textContent = found.done
        ? `Trained: ${found.steps.toLocaleString()} steps in ${found.seconds.toFixed(1)} s, perplexity ${found.perplexity.toFixed(3)}.`
        : `Stopped after ${found.steps.toLocaleString()} steps.`;
      byId("digest").textContent = found.digest;
      for (const id of ["download", "write", "further"]) byId(id).disabled = false;
      return found;
    } finally {
      running = false;
      buttons();
    }
  }
  function shown({ steps, fraction, rate, line }) {
    byId("progress").value = fraction;
    if (!line) return;
    log.push(line);
    byId("now").textContent = `epoch ${line.epoch}, perplexity ${line.train_perplexity.toFixed(3)}` +
      (line.val_bits_per_char === null ? "" : `, held out ${line.val_bits_per_char.toFixed(3)} bits a character`) +
      `, ${Math.round(rate).toLocaleString()} characters a second`;
    const samples = Object.values(line.samples);
    if (samples.length) byId("samples").replaceChildren(...Object.entries(line.samples).map(([prompt, made]) => {
      const item = document.createElement("li");
      item.textContent = prompt + made;
      return item;
    }));
    if (samples.length || log.length % Math.max(1, Math.ceil(log.length / 50)) === 0) draw();
  }
  function draw() {
    const values = log.map((line) => Math.log(line.train_perplexity)), most = Math.max(...values), least = Math.min(0, ...values);
    const points = values.map((value, i) => `${((i + 1) / log.length * 600).toFixed(1)},${((most - value) / (most - least || 1) * 180 + 10).toFixed(1)}`);
    curve.querySelector("polyline").setAttribute("points", points.join(" "));
    const [first, last] = [log[0], log.at(-1)].map((line) => line.train_perplexity.toFixed(2));
    curve.setAttribute("aria-label", `Perplexity by epoch: from ${first} in epoch ${log[0].epoch} to ${last} in epoch ${log.at(-1).epoch}`);
    const every = Math.max(1, Math.ceil(log.length / 20));
    byId("numbers").replaceChildren(...log.filter((_, i) => (i + 1) % every === 0 || i === log.length - 1).map((line) => {
      const row = document.createElement("tr");
      for (const value of [line.epoch, line.train_perplexity.toFixed(3), line.val_bits_per_char?.toFixed(3) ?? ""]) row.insertCell().textContent = value;
      return row;
    }));
  }
  const say = (error) => { status.textContent = error.message; };

  // ---- the fields ----
  // A recipe for a text of so many characters: steps enough in an epoch, and epochs enough in all (training/choice.py); a size that a
  // page trains in a minute or two.
  function suited(recipe, length) {
    if (recipe === RECIPES.book) return recipe;
    const rows = Math.floor(length / recipe.seq_length), batch_size = Math.max(4, Math.min(recipe.batch_size, Math.floor(rows / 20)));
    const steps = Math.max(20, Math.floor(rows / batch_size));
    return { ...recipe, hidden_size: 128, batch_size, epochs: Math.max(1, Math.min(Math.max(recipe.epochs, Math.floor(200 / steps)), Math.round(2e7 / Math.max(1, length)))) };
  }
  const fill = () => {
    const recipe = suited(RECIPES[byId("recipe").value], text.value.length);
    for (const field of FIELDS) byId(field).value = recipe[field];
  };
  const settings = () => Object.fromEntries(FIELDS.map((field) => [field, byId(field).type === "number" ? Number(byId(field).value) : byId(field).value]));
  const taken = (given, called) => {
    text.value = given;
    name = called;
    byId("recipe").value = given === STORY ? "book" : "modern";
    fill();
    status.textContent = `${called}: ${Array.from(given).length.toLocaleString()} characters.`;
  };
  const begin = async (on) => {
    const recipe = RECIPES[byId("recipe").value], fits = on ? model : {};
    const prompts = text.value === STORY ? recipe.prompts : [Array.from(text.value).slice(0, 12).join("")];
    const every = Math.max(1, Math.floor(Number(byId("epochs").value) / 5));
    status.textContent = "Training.";
    byId("samples").replaceChildren();
    // The bundled story has the book's samples; of another text the first characters are continued, five times in all.
    const samples = text.value === STORY && recipe === RECIPES.book ? {} : { sample_every: every, sample_length: 100, prompts };
    try {
      await window.elman.train({ text: text.value, recipe, name, further: on, ...samples, ...settings(), ...fits });
    } catch (error) { say(error); }
  };
  const read = async (file) => {
    try {
      if (file.name.endsWith(".safetensors")) {
        const { recipe } = await window.elman.load(await file.arrayBuffer());
        model = recipe;
        for (const id of ["download", "write", "further"]) byId(id).disabled = false;
        status.textContent = `${file.name}: ${recipe.cell} ${recipe.num_layers} x ${recipe.hidden_size}. Write with it, or train it further.`;
      } else {
        taken(new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer()), file.name);
      }
    } catch (error) { say(error instanceof TypeError ? new Error(`${file.name} is not a text in UTF-8`) : error); }
  };

  byId("recipe").replaceChildren(...Object.keys(RECIPES).map((each) => new Option(each, each)));
  byId("recipe").addEventListener("change", fill);
  byId("story").addEventListener("click", () => taken(STORY, "traveller"));
  text.addEventListener("change", () => { if (text.value !== STORY) taken(text.value, "a text"); });
  for (const id of ["file", "model"]) byId(id).addEventListener("change", ({ target }) => { if (target.files[0]) read(target.files[0]); target.value = ""; });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => { event.preventDefault(); if (event.dataTransfer.files[0]) read(event.dataTransfer.files[0]); });
  byId("train").addEventListener("click", () => begin(false));
  byId("further").addEventListener("click", () => begin(true));
  byId("stop").addEventListener("click", () => window.elman.stop());
  byId("go").addEventListener("click", () => window.elman.go().catch(say));
  byId("download").addEventListener("click", async () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([await window.elman.file()], { type: "application/octet-stream" }));
    link.download = "model.safetensors";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  });
  byId("write").addEventListener("click", async () => {
    try {
      const prompt = byId("prompt").value, settings = { temperature: Number(byId("temperature").value) };
      byId("written").textContent = prompt + await window.elman.generate(prompt, Number(byId("length").value), Number(byId("draw").value), settings);
    } catch (error) { say(error); }
  });
  taken(STORY, "traveller");
  ready.then(({ relaxed }) => {
    status.textContent += relaxed ? "" : " This browser has no fused relaxed SIMD: training is around 40 times slower here.";
  }, (error) => { status.textContent = `This browser cannot train: ${error.message}`; }).then(() => { document.body.dataset.ready = ""; });
})();
