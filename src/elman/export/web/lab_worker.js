// The worker of the page that trains. It has one model at a time, and listens between the steps of its training.
//
// A message is { id, call, given }, answered by { id, value } or { id, error }; while it trains it sends { progress }.
let c = null, training = null, held = null, going = false, seconds = 0;
const SLICE = 50; // milliseconds of training between two looks at the messages

async function inflated(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"))).arrayBuffer());
}
// A turn of the event loop, without the 4 ms that a timer waits.
const turn = () => new Promise((go) => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => { port1.close(); go(); };
  port2.postMessage(null);
});
const model = () => {
  if (!held) throw new Error("there is no model yet: train or load one");
  return new Model(c, held.weights.container(held.normalisation));
};
const using = (use) => {
  const one = model();
  try {
    return use(one);
  } finally {
    one.close();
  }
};
function take(weights, normalisation, file) {
  if (held && held.weights !== weights) held.weights.close();
  held = { weights, normalisation, file };
}

async function run() {
  if (going) throw new Error("a training runs already");
  going = true;
  try {
    while (going && !training.done) {
      const begun = performance.now();
      let line = null;
      while (!line && !training.done && performance.now() < begun + SLICE) line = training.step();
      seconds += (performance.now() - begun) / 1000;
      const { steps, fraction, recipe } = training, rate = (steps * recipe.batch_size * recipe.seq_length) / seconds;
      postMessage({ progress: { steps, fraction: Math.min(1, fraction), rate, line } });
      await turn();
    }
  } finally {
    going = false;
  }
  const last = training.log.at(-1);
  return { done: training.done, digest: await training.digest(), steps: training.steps, epochs: training.log.length, perplexity: last?.train_perplexity ?? null,
    valBits: last?.val_bits_per_char ?? null, samples: last?.samples ?? {}, seconds };
}

const calls = {
  begin: async ({ floats, relaxed }) => {
    const fused = fuses();
    c = await instantiate(await inflated(fused ? relaxed : floats));
    return { relaxed: fused };
  },
  train: ({ text, recipe, name, further }) => {
    if (going) throw new Error("a training runs already");
    if (further && !held) throw new Error("there is no model to train further");
    const next = new Training(c, text, recipe, name, further ? held.weights : null);
    training?.close();
    training = next;
    seconds = 0;
    take(training.weights, recipe.normalisation, () => training.file());
    return run();
  },
  stop: () => { going = false; },
  go: () => {
    if (!training || training.done) throw new Error("there is no training to go on with");
    return run();
  },
  load: async ({ bytes }) => {
    if (going) throw new Error("stop the training first");
    const { weights, recipe } = await loaded(c, bytes);
    training?.close();
    training = null;
    take(weights, recipe.normalisation, async () => bytes);
    return { recipe, symbols: weights.symbols.length };
  },
  file: () => { model().close(); return held.file(); },
  generate: ({ prompt, settings }) => using((one) => one.generate(prompt, settings)),
  score: ({ text }) => using((one) => one.score(text)),
};

onmessage = async ({ data: { id, call, given } }) => {
  try {
    postMessage({ id, value: await calls[call](given) });
  } catch (error) {
    postMessage({ id, error: error.message });
  }
};
