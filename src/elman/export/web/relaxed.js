// Which module of floats serves: elman-relaxed.wasm, where one instruction multiplies and adds with a single rounding, or
// elman-floats.wasm, many times slower, where a browser has no relaxed SIMD or computes it in two steps. The bits are the same.

// (module (func (export "m") (param f32 f32 f32) (result f32): f32x4.relaxed_madd of the three, splat, its first lane))
const PROBE = Uint8Array.of(
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 8, 1, 0x60, 3, 0x7d, 0x7d, 0x7d, 1, 0x7d, 3, 2, 1, 0, 7, 5, 1, 1, 0x6d, 0, 0, 10, 0x16, 1, 0x14, 0,
  0x20, 0, 0xfd, 0x13, 0x20, 1, 0xfd, 0x13, 0x20, 2, 0xfd, 0x13, 0xfd, 0x85, 2, 0xfd, 0x1f, 0, 0x0b);

/** Whether elman-relaxed.wasm computes right here: its instruction is there, and fuses, before and after it was compiled again. */
export function fuses() {
  if (!WebAssembly.validate(PROBE)) return false;
  const { m } = new WebAssembly.Instance(new WebAssembly.Module(PROBE)).exports, x = 1 + 2 ** -12;
  const right = () => m(x, x, -(1 + 2 ** -11)) === 2 ** -24; // and 0 with two roundings
  for (let i = 0; i < 100_000; ++i) if (!right()) return false;
  return true;
}
