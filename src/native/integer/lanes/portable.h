// Lanes in plain loops, left to the compiler; ../lanes.h says what each function does.
#pragma once

constexpr int kGroup = 2, kColumns = 8, kOffset = 0;
using Operand = int16_t;
struct Sum { int32_t r[kColumns]; };
struct Weight { int16_t r[2 * kColumns]; };
struct Input { int16_t r[2]; };
#define ELMAN_EACH(type, count, expression) \
  type result;                              \
  for (int i = 0; i < count; ++i) result.r[i] = expression; \
  return result
inline Sum zero() { return {}; }
inline Sum load_sum(const int32_t* p) { ELMAN_EACH(Sum, kColumns, p[i]); }
inline void store_sum(int32_t* p, Sum a) {
  for (int i = 0; i < kColumns; ++i) p[i] = a.r[i];
}
inline Sum add_sums(Sum a, Sum b) { ELMAN_EACH(Sum, kColumns, a.r[i] + b.r[i]); }
inline Sum subtract(Sum a, int32_t b) { ELMAN_EACH(Sum, kColumns, a.r[i] - b); }
inline Sum sixteenth(Sum a, Sum b) { ELMAN_EACH(Sum, kColumns, int32_t(uint32_t(a.r[i]) - uint32_t(b.r[i])) >> 4); }
inline Weight load_weights(const int8_t* p) { ELMAN_EACH(Weight, 2 * kColumns, p[i]); }
inline Weight low_halves(Weight w) { ELMAN_EACH(Weight, 2 * kColumns, int16_t(w.r[i] & 15)); }
inline Input broadcast(const Operand* x) { return {{x[0], x[1]}}; }
inline Sum dot(Sum sum, Weight w, Input x) {
  ELMAN_EACH(Sum, kColumns, sum.r[i] + w.r[2 * i] * x.r[0] + w.r[2 * i + 1] * x.r[1]);
}

constexpr int W = 16;
inline int16_t to_word(int32_t x) { return int16_t(x < -32768 ? -32768 : x > 32767 ? 32767 : x); }
struct Words { int16_t r[W]; };
inline Words words(int16_t x) { ELMAN_EACH(Words, W, x); }
inline Words load_words(const int16_t* p) { ELMAN_EACH(Words, W, p[i]); }
inline void store_words(int16_t* p, Words a) {
  for (int i = 0; i < W; ++i) p[i] = a.r[i];
}
inline Words add(Words a, Words b) { ELMAN_EACH(Words, W, int16_t(a.r[i] + b.r[i])); }
inline Words sub(Words a, Words b) { ELMAN_EACH(Words, W, int16_t(a.r[i] - b.r[i])); }
inline Words add_saturated(Words a, Words b) { ELMAN_EACH(Words, W, to_word(a.r[i] + b.r[i])); }
inline Words rounded(Words a, Words b) { ELMAN_EACH(Words, W, int16_t((a.r[i] * b.r[i] + (1 << 14)) >> 15)); }
inline Words larger(Words a, Words b) { ELMAN_EACH(Words, W, a.r[i] < b.r[i] ? b.r[i] : a.r[i]); }
inline Words smaller(Words a, Words b) { ELMAN_EACH(Words, W, b.r[i] < a.r[i] ? b.r[i] : a.r[i]); }
inline Words magnitude(Words a) { ELMAN_EACH(Words, W, int16_t(a.r[i] < 0 ? -a.r[i] : a.r[i])); }
template <int N> inline Words left(Words a) { ELMAN_EACH(Words, W, int16_t(uint32_t(a.r[i]) << N)); }
template <int N> inline Words right(Words a) { ELMAN_EACH(Words, W, int16_t(a.r[i] >> N)); }
inline Words bits_and(Words a, Words b) { ELMAN_EACH(Words, W, int16_t(a.r[i] & b.r[i])); }
inline Words bits_xor(Words a, Words b) { ELMAN_EACH(Words, W, int16_t(a.r[i] ^ b.r[i])); }
struct Cubic { const int16_t (*table)[16]; };
inline Cubic load_cubic(const int16_t (*table)[16]) { return {table}; }
struct Index { Words k; };
inline Index index(Words k) { return {k}; }
inline Words look_up(const Cubic& cubic, int c, Index at) { ELMAN_EACH(Words, W, cubic.table[c][at.k.r[i] & 15]); }
struct Wide { int32_t r[W]; };
inline Wide load_wide(const int32_t* p) { ELMAN_EACH(Wide, W, p[i]); }
inline Wide add(Wide a, Wide b) { ELMAN_EACH(Wide, W, a.r[i] + b.r[i]); }
inline Wide scaled(Wide a, const float* scale) { ELMAN_EACH(Wide, W, nearest(float(a.r[i]) * scale[i])); }
inline Words saturate(Wide a) { ELMAN_EACH(Words, W, to_word(a.r[i])); }
inline void store_operands(Operand* p, Words h) { store_words(p, h); }
inline void store_logits(float* p, Sum sum, const float* scale, const float* bias) {
  for (int i = 0; i < kColumns; ++i) p[i] = float(sum.r[i]) * scale[i] + bias[i];
}
#undef ELMAN_EACH
