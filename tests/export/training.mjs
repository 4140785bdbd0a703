// training.mjs ASKED FILE: train as ASKED says, a JSON file of text and recipe, write the model file, and say what came of it.
import { readFile, writeFile } from "node:fs/promises";
import { gunzipSync } from "node:zlib";
import { instantiate } from "./engine.js";
import { fuses } from "./relaxed.js";
import { Training, loaded } from "./training.js";

const [asked, file] = process.argv.slice(2), { text, recipe, further } = JSON.parse(await readFile(asked, "utf8"));
const module = fuses() ? "elman-relaxed.wasm" : "elman-floats.wasm";
const c = await instantiate(gunzipSync(await readFile(new URL(`${module}.gz`, import.meta.url))));
const training = new Training(c, text, recipe), begun = performance.now();
while (!training.done) training.step();
const seconds = (performance.now() - begun) / 1000;
await writeFile(file, await training.file());
const found = { module, seconds, steps: training.steps, digest: await training.digest(), log: training.log, model: training.model().generate("the ", { length: 100, seed: 7 }) };
if (further) {
  const { weights, recipe: fits } = await loaded(c, new Uint8Array(await readFile(file)));
  const again = new Training(c, text, { ...recipe, ...fits, ...further }, "again", weights);
  while (!again.done) again.step();
  found.further = await again.digest();
}
console.log(JSON.stringify(found));
