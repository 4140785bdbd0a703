// Lanes of AVX2, and of AVX2 with AVX-VNNI; ../lanes.h says what each function does.
#pragma once

using Sum = __m256i;
using Input = __m256i;
using Weight = __m256i;
constexpr int kColumns = 8;
inline Sum zero() { return _mm256_setzero_si256(); }
inline Sum load_sum(const int32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
inline void store_sum(int32_t* p, Sum a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a); }
inline Sum add_sums(Sum a, Sum b) { return _mm256_add_epi32(a, b); }
inline Sum subtract(Sum a, int32_t b) { return _mm256_sub_epi32(a, _mm256_set1_epi32(b)); }
inline Input broadcast(const void* x) {
  int32_t four;
  memcpy(&four, x, 4);
  return _mm256_set1_epi32(four);
}
#if defined(ELMAN_AVXVNNI)
constexpr int kGroup = 4;
using Operand = uint8_t;           // as for AVX-512
constexpr int kOffset = 128;
inline Weight load_weights(const int8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
inline Weight low_halves(Weight w) { return _mm256_and_si256(w, _mm256_set1_epi8(15)); }
inline Sum sixteenth(Sum a, Sum b) { return _mm256_srai_epi32(_mm256_sub_epi32(a, b), 4); }
inline Sum dot(Sum sum, Weight w, Input x) { return _mm256_dpbusd_avx_epi32(sum, x, w); }
#else
constexpr int kGroup = 2;
using Operand = int16_t;           // pairs of words, for vpmaddwd
constexpr int kOffset = 0;
inline Weight load_weights(const int8_t* p) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline Sum dot(Sum sum, Weight w, Input x) { return _mm256_add_epi32(sum, _mm256_madd_epi16(w, x)); }
#endif

constexpr int W = 16;
using Words = __m256i;
inline Words words(int16_t x) { return _mm256_set1_epi16(x); }
inline Words load_words(const int16_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
inline void store_words(int16_t* p, Words a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a); }
inline Words add(Words a, Words b) { return _mm256_add_epi16(a, b); }
inline Words sub(Words a, Words b) { return _mm256_sub_epi16(a, b); }
inline Words add_saturated(Words a, Words b) { return _mm256_adds_epi16(a, b); }
inline Words rounded(Words a, Words b) { return _mm256_mulhrs_epi16(a, b); }
inline Words larger(Words a, Words b) { return _mm256_max_epi16(a, b); }
inline Words smaller(Words a, Words b) { return _mm256_min_epi16(a, b); }
inline Words magnitude(Words a) { return _mm256_abs_epi16(a); }
template <int N> inline Words left(Words a) { return _mm256_slli_epi16(a, N); }
template <int N> inline Words right(Words a) { return _mm256_srai_epi16(a, N); }
inline Words bits_and(Words a, Words b) { return _mm256_and_si256(a, b); }
inline Words bits_xor(Words a, Words b) { return _mm256_xor_si256(a, b); }
struct Cubic { Words low[4], high[4]; };  // bytes of the sixteen coefficients, for vpshufb
inline Cubic load_cubic(const int16_t (*table)[16]) {
  Cubic cubic;
  for (int i = 0; i < 4; ++i) {
    alignas(16) uint8_t low[16], high[16];
    for (int k = 0; k < 16; ++k) low[k] = uint8_t(table[i][k]), high[k] = uint8_t(uint16_t(table[i][k]) >> 8);
    cubic.low[i] = _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(low)));
    cubic.high[i] = _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(high)));
  }
  return cubic;
}
struct Index { Words low, high; };  // the byte index where its byte is wanted, 128 (which gives 0) beside it
inline Index index(Words k) {
  return {_mm256_or_si256(k, words(int16_t(0x8000))), _mm256_or_si256(_mm256_slli_epi16(k, 8), words(0x80))};
}
inline Words look_up(const Cubic& cubic, int i, Index at) {
  return _mm256_or_si256(_mm256_shuffle_epi8(cubic.low[i], at.low), _mm256_shuffle_epi8(cubic.high[i], at.high));
}
struct Wide { __m256i r[2]; };
inline Wide load_wide(const int32_t* p) { return {{load_sum(p), load_sum(p + 8)}}; }
inline Wide add(Wide a, Wide b) { return {{_mm256_add_epi32(a.r[0], b.r[0]), _mm256_add_epi32(a.r[1], b.r[1])}}; }
inline Wide scaled(Wide a, const float* scale) {
  for (int i = 0; i < 2; ++i)
    a.r[i] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_cvtepi32_ps(a.r[i]), _mm256_loadu_ps(scale + 8 * i)));
  return a;
}
inline Words saturate(Wide a) {  // vpackssdw packs each half of 128 bits by itself
  return _mm256_permute4x64_epi64(_mm256_packs_epi32(a.r[0], a.r[1]), 0xd8);
}
inline __m128i to_bytes(Words h) { return _mm_packs_epi16(_mm256_castsi256_si128(h), _mm256_extracti128_si256(h, 1)); }
inline void store_operands(int16_t* p, Words h) { store_words(p, h); }
inline void store_operands(int8_t* p, Words h) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), to_bytes(h)); }
inline void store_operands(uint8_t* p, Words h) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_xor_si128(to_bytes(h), _mm_set1_epi8(int8_t(0x80))));
}
inline void store_logits(float* p, Sum sum, const float* scale, const float* bias) {
  _mm256_storeu_ps(p, _mm256_add_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_loadu_ps(scale)), _mm256_loadu_ps(bias)));
}
