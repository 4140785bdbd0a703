// Lanes of AVX-512 with VNNI; ../lanes.h says what each function does.
#pragma once

constexpr int kGroup = 4, kColumns = 16;
using Operand = uint8_t;           // h + 128: vpdpbusd takes one side unsigned; `start` takes 128 w away again
constexpr int kOffset = 128;
using Sum = __m512i;
using Weight = __m512i;
using Input = __m512i;
inline Sum zero() { return _mm512_setzero_si512(); }
inline Sum load_sum(const int32_t* p) { return _mm512_loadu_si512(p); }
inline void store_sum(int32_t* p, Sum a) { _mm512_storeu_si512(p, a); }
inline Sum add_sums(Sum a, Sum b) { return _mm512_add_epi32(a, b); }
inline Sum subtract(Sum a, int32_t b) { return _mm512_sub_epi32(a, _mm512_set1_epi32(b)); }
inline Sum sixteenth(Sum a, Sum b) { return _mm512_srai_epi32(_mm512_sub_epi32(a, b), 4); }  // (a - b) / 16, exact
inline Weight load_weights(const int8_t* p) { return _mm512_loadu_si512(p); }
inline Weight low_halves(Weight w) { return _mm512_and_si512(w, _mm512_set1_epi8(15)); }
inline Input broadcast(const Operand* x) {
  int32_t four;
  memcpy(&four, x, 4);
  return _mm512_set1_epi32(four);
}
inline Sum dot(Sum sum, Weight w, Input x) { return _mm512_dpbusd_epi32(sum, x, w); }

constexpr int W = 32;
using Words = __m512i;
inline Words words(int16_t x) { return _mm512_set1_epi16(x); }
inline Words load_words(const int16_t* p) { return _mm512_loadu_si512(p); }
inline void store_words(int16_t* p, Words a) { _mm512_storeu_si512(p, a); }
inline Words add(Words a, Words b) { return _mm512_add_epi16(a, b); }
inline Words sub(Words a, Words b) { return _mm512_sub_epi16(a, b); }
inline Words add_saturated(Words a, Words b) { return _mm512_adds_epi16(a, b); }
inline Words rounded(Words a, Words b) { return _mm512_mulhrs_epi16(a, b); }
inline Words larger(Words a, Words b) { return _mm512_max_epi16(a, b); }
inline Words smaller(Words a, Words b) { return _mm512_min_epi16(a, b); }
inline Words magnitude(Words a) { return _mm512_abs_epi16(a); }
template <int N> inline Words left(Words a) { return _mm512_slli_epi16(a, N); }
template <int N> inline Words right(Words a) { return _mm512_srai_epi16(a, N); }
inline Words bits_and(Words a, Words b) { return _mm512_and_si512(a, b); }
inline Words bits_xor(Words a, Words b) { return _mm512_xor_si512(a, b); }
struct Cubic { Words c[4]; };
inline Cubic load_cubic(const int16_t (*table)[16]) {
  Cubic cubic;
  for (int i = 0; i < 4; ++i)
    cubic.c[i] = _mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(table[i])));
  return cubic;
}
struct Index { Words k; };
inline Index index(Words k) { return {k}; }
inline Words look_up(const Cubic& cubic, int i, Index at) { return _mm512_permutexvar_epi16(at.k, cubic.c[i]); }
struct Wide { __m512i r[2]; };     // W int32 lanes
inline Wide load_wide(const int32_t* p) { return {{_mm512_loadu_si512(p), _mm512_loadu_si512(p + 16)}}; }
inline Wide add(Wide a, Wide b) { return {{_mm512_add_epi32(a.r[0], b.r[0]), _mm512_add_epi32(a.r[1], b.r[1])}}; }
inline Wide scaled(Wide a, const float* scale) {
  for (int i = 0; i < 2; ++i)
    a.r[i] = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_cvtepi32_ps(a.r[i]), _mm512_loadu_ps(scale + 16 * i)));
  return a;
}
inline Words saturate(Wide a) {
  return _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtsepi32_epi16(a.r[0])), _mm512_cvtsepi32_epi16(a.r[1]), 1);
}
inline void store_operands(Operand* p, Words h) {
  __m256i bytes = _mm512_cvtepi16_epi8(h);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_xor_si256(bytes, _mm256_set1_epi8(int8_t(0x80))));
}
inline void store_logits(float* p, Sum sum, const float* scale, const float* bias) {
  _mm512_storeu_ps(p, _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(sum), _mm512_loadu_ps(scale)), _mm512_loadu_ps(bias)));
}
