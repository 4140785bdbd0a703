// The model file of Elman, .safetensors, written and read: a JSON header, a digest over it and the weights, and the weights.

const hex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
const text = new TextEncoder();

/** SHA-256 of parts: strings, or arrays of numbers. */
export async function sha256(parts) {
  return hex(await crypto.subtle.digest("SHA-256", await new Blob(parts).arrayBuffer()));
}

// A shape as Python writes a tuple.
const tuple = (shape) => (shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`);

/** The digest that `elman info` shows. tensors: [{ name, shape, data: Float32Array }], in the model's order. */
export function digest(tensors) {
  return sha256(tensors.flatMap(({ name, shape, data }) => [`${name} ${tuple(shape)}\n`, data]));
}

const inOrder = (tensors) => [...tensors].sort((a, b) => (a.name < b.name ? -1 : 1));
const digestOfFile = (config, tensors) =>
  sha256([config, ...inOrder(tensors).flatMap(({ name, shape, data }) => [`${name} torch.float32 ${tuple(shape)}\n`, data])]);

// JSON with sorted keys.
function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}

/** The file's bytes. header: what `elman info --json` shows. */
export async function toSafetensors(header, tensors) {
  const config = JSON.stringify(sorted(header));
  const whole = JSON.stringify({ config, digest: await digestOfFile(config, tensors), format: 1 });
  const entries = { __metadata__: { elman: whole } };
  let at = 0;
  for (const { name, shape, data } of inOrder(tensors)) {
    entries[name] = { dtype: "F32", shape, data_offsets: [at, at + data.byteLength] };
    at += data.byteLength;
  }
  const head = text.encode(JSON.stringify(entries)), padded = (head.length + 7) & ~7;
  const size = new Uint8Array(8);
  new DataView(size.buffer).setBigUint64(0, BigInt(padded), true);
  const parts = [size, head, text.encode(" ".repeat(padded - head.length)), ...inOrder(tensors).map(({ data }) => data)];
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** What a file holds: { header, tensors: Map of { shape, data } }. Throws what is wrong with one that Elman did not write. */
export async function fromSafetensors(bytes) {
  const refuse = (why) => { throw new Error(`this is no model file of Elman's: ${why}`); };
  if (bytes.length < 8) refuse("it is too short");
  const size = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (size > bytes.length - 8) refuse("it is cut off, or no .safetensors file");
  let entries, whole, header;
  try {
    entries = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + size)));
    whole = JSON.parse(entries.__metadata__.elman);
    header = JSON.parse(whole.config);
  } catch {
    refuse("its header cannot be read");
  }
  if (whole.format !== 1) refuse(`its format is ${whole.format}, and this page reads 1`);
  if ("contract" in header) refuse("it is quantised; train and load models of floats");
  const tensors = new Map();
  for (const [name, { dtype, shape, data_offsets: offsets }] of Object.entries(entries).filter(([name]) => name !== "__metadata__")) {
    if (dtype !== "F32" || !Array.isArray(offsets) || !(offsets[1] <= bytes.length - 8 - size)) refuse(`${name} is ${dtype}, or cut off`);
    tensors.set(name, { name, shape, data: new Float32Array(bytes.slice(8 + size + offsets[0], 8 + size + offsets[1]).buffer) });
  }
  if (whole.digest !== await digestOfFile(whole.config, [...tensors.values()])) refuse("it is damaged: its digest is another");
  return { header, tensors };
}
