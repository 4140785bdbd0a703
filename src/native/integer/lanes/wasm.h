// Lanes of WebAssembly's SIMD; ../lanes.h says what each function does.
#pragma once

constexpr int kGroup = 2, kColumns = 4, kOffset = 0;
using Operand = int16_t;
using Sum = v128_t;
using Weight = v128_t;
using Input = v128_t;
inline Sum zero() { return wasm_i32x4_const_splat(0); }
inline Sum load_sum(const int32_t* p) { return wasm_v128_load(p); }
inline void store_sum(int32_t* p, Sum a) { wasm_v128_store(p, a); }
inline Sum add_sums(Sum a, Sum b) { return wasm_i32x4_add(a, b); }
inline Weight load_weights(const int8_t* p) { return wasm_i16x8_load8x8(p); }
inline Input broadcast(const Operand* x) { return wasm_v128_load32_splat(x); }
inline Sum dot(Sum sum, Weight w, Input x) { return wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(w, x)); }

constexpr int W = 8;
using Words = v128_t;
inline Words words(int16_t x) { return wasm_i16x8_splat(x); }
inline Words load_words(const int16_t* p) { return wasm_v128_load(p); }
inline void store_words(int16_t* p, Words a) { wasm_v128_store(p, a); }
inline Words add(Words a, Words b) { return wasm_i16x8_add(a, b); }
inline Words sub(Words a, Words b) { return wasm_i16x8_sub(a, b); }
inline Words add_saturated(Words a, Words b) { return wasm_i16x8_add_sat(a, b); }
inline Words rounded(Words a, Words b) { return wasm_i16x8_q15mulr_sat(a, b); }
inline Words larger(Words a, Words b) { return wasm_i16x8_max(a, b); }
inline Words smaller(Words a, Words b) { return wasm_i16x8_min(a, b); }
inline Words magnitude(Words a) { return wasm_i16x8_abs(a); }
template <int N> inline Words left(Words a) { return wasm_i16x8_shl(a, N); }
template <int N> inline Words right(Words a) { return wasm_i16x8_shr(a, N); }
inline Words bits_and(Words a, Words b) { return wasm_v128_and(a, b); }
inline Words bits_xor(Words a, Words b) { return wasm_v128_xor(a, b); }
struct Cubic { v128_t low[4], high[4]; };
inline Cubic load_cubic(const int16_t (*table)[16]) {
  Cubic cubic;
  for (int i = 0; i < 4; ++i) {
    alignas(16) uint8_t low[16], high[16];
    for (int k = 0; k < 16; ++k) low[k] = uint8_t(table[i][k]), high[k] = uint8_t(uint16_t(table[i][k]) >> 8);
    cubic.low[i] = wasm_v128_load(low), cubic.high[i] = wasm_v128_load(high);
  }
  return cubic;
}
struct Index { Words low, high; };  // swizzle gives 0 for an index of 16 or more
inline Index index(Words k) {
  return {wasm_v128_or(k, words(int16_t(0x8000))), wasm_v128_or(wasm_i16x8_shl(k, 8), words(0x80))};
}
inline Words look_up(const Cubic& cubic, int i, Index at) {
  return wasm_v128_or(wasm_i8x16_swizzle(cubic.low[i], at.low), wasm_i8x16_swizzle(cubic.high[i], at.high));
}
struct Wide { v128_t r[2]; };
inline Wide load_wide(const int32_t* p) { return {{wasm_v128_load(p), wasm_v128_load(p + 4)}}; }
inline Wide add(Wide a, Wide b) { return {{wasm_i32x4_add(a.r[0], b.r[0]), wasm_i32x4_add(a.r[1], b.r[1])}}; }
inline Wide scaled(Wide a, const float* scale) {
  for (int i = 0; i < 2; ++i)
    a.r[i] = wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_nearest(wasm_f32x4_mul(wasm_f32x4_convert_i32x4(a.r[i]), wasm_v128_load(scale + 4 * i))));
  return a;
}
inline Words saturate(Wide a) { return wasm_i16x8_narrow_i32x4(a.r[0], a.r[1]); }
inline void store_operands(Operand* p, Words h) { wasm_v128_store(p, h); }
inline void store_logits(float* p, Sum sum, const float* scale, const float* bias) {
  wasm_v128_store(p, wasm_f32x4_add(wasm_f32x4_mul(wasm_f32x4_convert_i32x4(sum), wasm_v128_load(scale)), wasm_v128_load(bias)));
}
