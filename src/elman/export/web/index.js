// The package's entry: in Node, browsers and workers.
import { load as open } from "./engine.js";
import { cutter } from "./subwords.js";

export { Model } from "./engine.js";

async function file(name) {
  const place = new URL(name, import.meta.url);
  if (place.protocol !== "file:") {
    const answer = await fetch(place);
    if (!answer.ok) throw new Error(`${place}: ${answer.status}`);
    return new Uint8Array(await answer.arrayBuffer());
  }
  const { readFile } = await import("node:fs/promises");
  return readFile(place);
}

const module = () => "./elman.wasm";

/** Open a model: the package's own, or one of these bytes, which `elman export plain` writes. */
export async function load(container, wasm) {
  return open(container ?? (await file("./model.elman")), wasm ?? (await file(module())), cutter);
}
