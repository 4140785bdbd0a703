// What a processor does with bytes, 16-bit and 32-bit lanes: the only file that differs between instruction sets.
//
//   Product: `dot(sum, w, x)` adds to each of kColumns int32 sums the products of kGroup int8 weights and operands. The
//   operands of a row are bytes or words, whatever `dot` likes to have (`Operand`); a group of them is the same for all
//   columns. No instruction here saturates: vpdpbusd adds four products to an int32, vpmaddwd two.
//   Words: W int16 lanes, one register, for the pointwise part: saturating sums and rounded products (`rounded`:
//   (a b + 2^14) >> 15). Conversions between int32 and float32 round to nearest, ties to even.
//
// Included once per instruction set, inside namespace elman::integer::ISA.
#pragma once

#if defined(ELMAN_AVX512VNNI)

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

#elif defined(ELMAN_AVX2) || defined(ELMAN_AVXVNNI)

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

#elif defined(ELMAN_NEON) || defined(ELMAN_NEONDOT)

using Operand = int8_t;
constexpr int kOffset = 0, kGroup = 4;
#if defined(ELMAN_NEONDOT)
constexpr int kColumns = 4;
using Sum = int32x4_t;
using Weight = int8x16_t;
using Input = int8x16_t;
inline Sum zero() { return vdupq_n_s32(0); }
inline Sum load_sum(const int32_t* p) { return vld1q_s32(p); }
inline void store_sum(int32_t* p, Sum a) { vst1q_s32(p, a); }
inline Sum add_sums(Sum a, Sum b) { return vaddq_s32(a, b); }
inline Sum subtract(Sum a, int32_t b) { return vsubq_s32(a, vdupq_n_s32(b)); }
inline Sum sixteenth(Sum a, Sum b) { return vshrq_n_s32(vsubq_s32(a, b), 4); }
inline Weight load_weights(const int8_t* p) { return vld1q_s8(p); }
inline Weight low_halves(Weight w) { return vandq_s8(w, vdupq_n_s8(15)); }
inline Input broadcast(const Operand* x) {
  int32_t four;
  memcpy(&four, x, 4);
  return vreinterpretq_s8_s32(vdupq_n_s32(four));
}
inline Sum dot(Sum sum, Weight w, Input x) { return vdotq_s32(sum, w, x); }
inline void store_logits(float* p, Sum sum, const float* scale, const float* bias) {
  vst1q_f32(p, vaddq_f32(vmulq_f32(vcvtq_f32_s32(sum), vld1q_f32(scale)), vld1q_f32(bias)));
}
#else
// Two pairs of terms for eight columns: (pair, column, 2). The words of smull and smlal hold the sum of two products,
// at most 2 * 127 * 127 = 32258.
constexpr int kColumns = 8;
struct Sum { int32x4_t r[2]; };
struct Weight { int8x16_t first, second; };
struct Input { int8x8_t first, second; };
inline Sum zero() { return {{vdupq_n_s32(0), vdupq_n_s32(0)}}; }
inline Sum load_sum(const int32_t* p) { return {{vld1q_s32(p), vld1q_s32(p + 4)}}; }
inline void store_sum(int32_t* p, Sum a) { vst1q_s32(p, a.r[0]), vst1q_s32(p + 4, a.r[1]); }
inline Sum add_sums(Sum a, Sum b) { return {{vaddq_s32(a.r[0], b.r[0]), vaddq_s32(a.r[1], b.r[1])}}; }
inline Sum subtract(Sum a, int32_t b) { return {{vsubq_s32(a.r[0], vdupq_n_s32(b)), vsubq_s32(a.r[1], vdupq_n_s32(b))}}; }
inline Sum sixteenth(Sum a, Sum b) {
  return {{vshrq_n_s32(vsubq_s32(a.r[0], b.r[0]), 4), vshrq_n_s32(vsubq_s32(a.r[1], b.r[1]), 4)}};
}
inline Weight load_weights(const int8_t* p) { return {vld1q_s8(p), vld1q_s8(p + 16)}; }
inline Weight low_halves(Weight w) { return {vandq_s8(w.first, vdupq_n_s8(15)), vandq_s8(w.second, vdupq_n_s8(15))}; }
inline Input broadcast(const Operand* x) {
  int16_t pair[2];
  memcpy(pair, x, 4);
  return {vreinterpret_s8_s16(vdup_n_s16(pair[0])), vreinterpret_s8_s16(vdup_n_s16(pair[1]))};
}
inline Sum dot(Sum sum, Weight w, Input x) {
  int16x8_t low = vmlal_s8(vmull_s8(vget_low_s8(w.first), x.first), vget_low_s8(w.second), x.second);
  int16x8_t high = vmlal_s8(vmull_s8(vget_high_s8(w.first), x.first), vget_high_s8(w.second), x.second);
  return {{vpadalq_s16(sum.r[0], low), vpadalq_s16(sum.r[1], high)}};
}
inline void store_logits(float* p, Sum sum, const float* scale, const float* bias) {
  for (int i = 0; i < 2; ++i)
    vst1q_f32(p + 4 * i, vaddq_f32(vmulq_f32(vcvtq_f32_s32(sum.r[i]), vld1q_f32(scale + 4 * i)), vld1q_f32(bias + 4 * i)));
}
#endif

constexpr int W = 8;
using Words = int16x8_t;
inline Words words(int16_t x) { return vdupq_n_s16(x); }
inline Words load_words(const int16_t* p) { return vld1q_s16(p); }
inline void store_words(int16_t* p, Words a) { vst1q_s16(p, a); }
inline Words add(Words a, Words b) { return vaddq_s16(a, b); }
inline Words sub(Words a, Words b) { return vsubq_s16(a, b); }
inline Words add_saturated(Words a, Words b) { return vqaddq_s16(a, b); }
inline Words rounded(Words a, Words b) { return vqrdmulhq_s16(a, b); }
inline Words larger(Words a, Words b) { return vmaxq_s16(a, b); }
inline Words smaller(Words a, Words b) { return vminq_s16(a, b); }
inline Words magnitude(Words a) { return vabsq_s16(a); }
template <int N> inline Words left(Words a) { return vshlq_n_s16(a, N); }
template <int N> inline Words right(Words a) { return vshrq_n_s16(a, N); }
inline Words bits_and(Words a, Words b) { return vandq_s16(a, b); }
inline Words bits_xor(Words a, Words b) { return veorq_s16(a, b); }
struct Cubic { uint8x16x2_t c[4]; };
inline Cubic load_cubic(const int16_t (*table)[16]) {
  Cubic cubic;
  for (int i = 0; i < 4; ++i)
    cubic.c[i] = {{vreinterpretq_u8_s16(vld1q_s16(table[i])), vreinterpretq_u8_s16(vld1q_s16(table[i] + 8))}};
  return cubic;
}
struct Index { uint8x16_t bytes; };  // 2k and 2k + 1
inline Index index(Words k) {
  int16x8_t twice = vshlq_n_s16(k, 1);
  return {vreinterpretq_u8_s16(vorrq_s16(vorrq_s16(twice, vshlq_n_s16(twice, 8)), vdupq_n_s16(0x100)))};
}
inline Words look_up(const Cubic& cubic, int i, Index at) {
  return vreinterpretq_s16_u8(vqtbl2q_u8(cubic.c[i], at.bytes));
}
struct Wide { int32x4_t r[2]; };
inline Wide load_wide(const int32_t* p) { return {{vld1q_s32(p), vld1q_s32(p + 4)}}; }
inline Wide add(Wide a, Wide b) { return {{vaddq_s32(a.r[0], b.r[0]), vaddq_s32(a.r[1], b.r[1])}}; }
inline Wide scaled(Wide a, const float* scale) {
  for (int i = 0; i < 2; ++i) a.r[i] = vcvtnq_s32_f32(vmulq_f32(vcvtq_f32_s32(a.r[i]), vld1q_f32(scale + 4 * i)));
  return a;
}
inline Words saturate(Wide a) { return vcombine_s16(vqmovn_s32(a.r[0]), vqmovn_s32(a.r[1])); }
inline void store_operands(Operand* p, Words h) { vst1_s8(p, vmovn_s16(h)); }

#elif defined(ELMAN_WASM)

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

#else  // portable: plain loops, left to the compiler

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

#endif

// Where term s of column j lies in the 32 `group` bytes of a group of terms.
inline int64_t place(int64_t group, int64_t j, int64_t s) {
  int64_t vector = j / kColumns * kColumns * group, column = j % kColumns;
#if defined(ELMAN_NEON)
  return vector + s / 2 * 16 + column * 2 + s % 2;
#else
  return vector + column * group + s;
#endif
}

// A value that the compiler knows nothing of: for measuring.
inline void opaque(Input& x) {
#if defined(ELMAN_EMULATED)  // by tests, in plain C
  asm volatile("" : "+m"(x));
#elif defined(ELMAN_AVX512VNNI)
  asm volatile("" : "+v"(x));
#elif defined(ELMAN_AVX2) || defined(ELMAN_AVXVNNI)
  asm volatile("" : "+x"(x));
#elif defined(ELMAN_NEONDOT)
  asm volatile("" : "+w"(x));
#elif defined(ELMAN_NEON)
  asm volatile("" : "+w"(x.first), "+w"(x.second));
#elif defined(ELMAN_WASM)
  asm volatile("" : "+r"(x));
#else
  asm volatile("" : "+m"(x));
#endif
}
