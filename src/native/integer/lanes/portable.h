// Lanes in plain loops, left to the compiler, and SSE2's pmaddwd on x86; ../lanes.h says what each function does.
#pragma once

constexpr int kGroup = 2, kOffset = 0;
using Operand = int16_t;
#define ELMAN_EACH(type, count, expression) \
  type result;                              \
  for (int i = 0; i < count; ++i) result.r[i] = expression; \
  return result
#if defined(__SSE2__)              // GCC does not find pmaddwd in the loops below, which take three times as many instructions
constexpr int kColumns = 8;
struct Sum { __m128i r[2]; };
struct Weight { __m128i r[2]; };
using Input = __m128i;
inline __m128i load_bytes(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
inline Sum zero() { return {{_mm_setzero_si128(), _mm_setzero_si128()}}; }
inline Sum load_sum(const int32_t* p) { return {{load_bytes(p), load_bytes(p + 4)}}; }
inline void store_sum(int32_t* p, Sum a) {
  for (int i = 0; i < 2; ++i) _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 4 * i), a.r[i]);
}
inline Sum add_sums(Sum a, Sum b) { return {{_mm_add_epi32(a.r[0], b.r[0]), _mm_add_epi32(a.r[1], b.r[1])}}; }
inline Weight load_weights(const int8_t* p) {
  __m128i w = load_bytes(p);
  return {{_mm_srai_epi16(_mm_unpacklo_epi8(w, w), 8), _mm_srai_epi16(_mm_unpackhi_epi8(w, w), 8)}};
}
inline Input broadcast(const Operand* x) {
  int32_t two;
  memcpy(&two, x, 4);
  return _mm_set1_epi32(two);
}
inline Sum dot(Sum sum, Weight w, Input x) {
  return {{_mm_add_epi32(sum.r[0], _mm_madd_epi16(w.r[0], x)), _mm_add_epi32(sum.r[1], _mm_madd_epi16(w.r[1], x))}};
}
inline void store_logits(float* p, Sum sum, const float* scale, const float* bias) {
  for (int i = 0; i < 2; ++i) {
    __m128 scaled = _mm_mul_ps(_mm_cvtepi32_ps(sum.r[i]), _mm_loadu_ps(scale + 4 * i));
    _mm_storeu_ps(p + 4 * i, _mm_add_ps(scaled, _mm_loadu_ps(bias + 4 * i)));
  }
}
#else
constexpr int kColumns = 8;
struct Sum { int32_t r[kColumns]; };
struct Weight { int16_t r[2 * kColumns]; };
struct Input { int16_t r[2]; };
inline Sum zero() { return {}; }
inline Sum load_sum(const int32_t* p) { ELMAN_EACH(Sum, kColumns, p[i]); }
inline void store_sum(int32_t* p, Sum a) {
  for (int i = 0; i < kColumns; ++i) p[i] = a.r[i];
}
inline Sum add_sums(Sum a, Sum b) { ELMAN_EACH(Sum, kColumns, a.r[i] + b.r[i]); }
inline Weight load_weights(const int8_t* p) { ELMAN_EACH(Weight, 2 * kColumns, p[i]); }
inline Input broadcast(const Operand* x) { return {{x[0], x[1]}}; }
inline Sum dot(Sum sum, Weight w, Input x) {
  ELMAN_EACH(Sum, kColumns, sum.r[i] + w.r[2 * i] * x.r[0] + w.r[2 * i + 1] * x.r[1]);
}
inline void store_logits(float* p, Sum sum, const float* scale, const float* bias) {
  for (int i = 0; i < kColumns; ++i) p[i] = float(sum.r[i]) * scale[i] + bias[i];
}
#endif

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
#undef ELMAN_EACH
