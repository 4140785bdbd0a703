// v16: sixteen float32 lanes, whatever the machine's vectors are: one AVX-512 register, two of AVX2, four of NEON or of the
// compiler's own. Every function here is one IEEE-754 operation per lane, rounded once, so the lanes hold the same bits
// everywhere (a NaN is a NaN everywhere; its sign and payload are not promised).
//
// Included once per instruction set, inside namespace elman::ISA.
#pragma once

#if defined(ELMAN_AVX512)

struct v16 { __m512 r; };
using m16 = __mmask16;
inline v16 set1(float x) { return {_mm512_set1_ps(x)}; }
inline v16 load(const float* p) { return {_mm512_loadu_ps(p)}; }
inline void store(float* p, v16 a) { _mm512_storeu_ps(p, a.r); }
inline v16 add(v16 a, v16 b) { return {_mm512_add_ps(a.r, b.r)}; }
inline v16 sub(v16 a, v16 b) { return {_mm512_sub_ps(a.r, b.r)}; }
inline v16 mul(v16 a, v16 b) { return {_mm512_mul_ps(a.r, b.r)}; }
inline v16 div(v16 a, v16 b) { return {_mm512_div_ps(a.r, b.r)}; }
inline v16 sqrt(v16 a) { return {_mm512_sqrt_ps(a.r)}; }
inline v16 fma(v16 a, v16 b, v16 c) { return {_mm512_fmadd_ps(a.r, b.r, c.r)}; }    // a b + c
inline v16 fnma(v16 a, v16 b, v16 c) { return {_mm512_fnmadd_ps(a.r, b.r, c.r)}; }  // c - a b
inline m16 lt(v16 a, v16 b) { return _mm512_cmp_ps_mask(a.r, b.r, _CMP_LT_OQ); }
inline m16 le(v16 a, v16 b) { return _mm512_cmp_ps_mask(a.r, b.r, _CMP_LE_OQ); }
inline v16 select(m16 m, v16 yes, v16 no) { return {_mm512_mask_blend_ps(m, no.r, yes.r)}; }
inline v16 abs(v16 a) { return {_mm512_abs_ps(a.r)}; }
inline v16 copysign(v16 a, v16 sign) {
  return {_mm512_castsi512_ps(_mm512_ternarylogic_epi32(_mm512_set1_epi32(int(0x80000000)), _mm512_castps_si512(sign.r),
                                                        _mm512_castps_si512(a.r), 0xca))};
}
inline v16 pow2(v16 n) {  // 2^n for whole n in -126 .. 127
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n.r), _mm512_set1_epi32(127)), 23))};
}
inline v16 load_n(const float* p, int64_t n) {
  return n >= 16 ? load(p) : v16{_mm512_maskz_loadu_ps(__mmask16((1u << n) - 1), p)};
}
inline void store_n(float* p, v16 a, int64_t n) {
  if (n >= 16) store(p, a);
  else _mm512_mask_storeu_ps(p, __mmask16((1u << n) - 1), a.r);
}

#else

#if defined(ELMAN_AVX2)
using Register = __m256;
constexpr int kParts = 2;
inline Register r_set1(float x) { return _mm256_set1_ps(x); }
inline Register r_load(const float* p) { return _mm256_loadu_ps(p); }
inline void r_store(float* p, Register a) { _mm256_storeu_ps(p, a); }
inline Register r_add(Register a, Register b) { return _mm256_add_ps(a, b); }
inline Register r_sub(Register a, Register b) { return _mm256_sub_ps(a, b); }
inline Register r_mul(Register a, Register b) { return _mm256_mul_ps(a, b); }
inline Register r_div(Register a, Register b) { return _mm256_div_ps(a, b); }
inline Register r_sqrt(Register a) { return _mm256_sqrt_ps(a); }
inline Register r_fma(Register a, Register b, Register c) { return _mm256_fmadd_ps(a, b, c); }
inline Register r_fnma(Register a, Register b, Register c) { return _mm256_fnmadd_ps(a, b, c); }
inline Register r_lt(Register a, Register b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
inline Register r_le(Register a, Register b) { return _mm256_cmp_ps(a, b, _CMP_LE_OQ); }
inline Register r_select(Register m, Register yes, Register no) { return _mm256_blendv_ps(no, yes, m); }
inline Register r_abs(Register a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
inline Register r_copysign(Register a, Register sign) {
  return _mm256_or_ps(r_abs(a), _mm256_and_ps(_mm256_set1_ps(-0.0f), sign));
}
inline Register r_pow2(Register n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
}
#elif defined(ELMAN_NEON)
using Register = float32x4_t;
constexpr int kParts = 4;
inline Register r_set1(float x) { return vdupq_n_f32(x); }
inline Register r_load(const float* p) { return vld1q_f32(p); }
inline void r_store(float* p, Register a) { vst1q_f32(p, a); }
inline Register r_add(Register a, Register b) { return vaddq_f32(a, b); }
inline Register r_sub(Register a, Register b) { return vsubq_f32(a, b); }
inline Register r_mul(Register a, Register b) { return vmulq_f32(a, b); }
inline Register r_div(Register a, Register b) { return vdivq_f32(a, b); }
inline Register r_sqrt(Register a) { return vsqrtq_f32(a); }
inline Register r_fma(Register a, Register b, Register c) { return vfmaq_f32(c, a, b); }
inline Register r_fnma(Register a, Register b, Register c) { return vfmsq_f32(c, a, b); }
inline Register r_lt(Register a, Register b) { return vreinterpretq_f32_u32(vcltq_f32(a, b)); }
inline Register r_le(Register a, Register b) { return vreinterpretq_f32_u32(vcleq_f32(a, b)); }
inline Register r_select(Register m, Register yes, Register no) { return vbslq_f32(vreinterpretq_u32_f32(m), yes, no); }
inline Register r_abs(Register a) { return vabsq_f32(a); }
inline Register r_copysign(Register a, Register sign) { return vbslq_f32(vdupq_n_u32(0x80000000u), sign, a); }
inline Register r_pow2(Register n) {
  return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127)), 23));
}
#else
#include "portable.h"
#endif

constexpr int kWidth = 16 / kParts;
struct v16 { Register r[kParts]; };
struct m16 { Register r[kParts]; };
#define ELMAN_EACH(type, expression)            \
  type result;                                  \
  for (int i = 0; i < kParts; ++i) result.r[i] = expression; \
  return result
inline v16 set1(float x) { ELMAN_EACH(v16, r_set1(x)); }
inline v16 load(const float* p) { ELMAN_EACH(v16, r_load(p + i * kWidth)); }
inline void store(float* p, v16 a) {
  for (int i = 0; i < kParts; ++i) r_store(p + i * kWidth, a.r[i]);
}
inline v16 add(v16 a, v16 b) { ELMAN_EACH(v16, r_add(a.r[i], b.r[i])); }
inline v16 sub(v16 a, v16 b) { ELMAN_EACH(v16, r_sub(a.r[i], b.r[i])); }
inline v16 mul(v16 a, v16 b) { ELMAN_EACH(v16, r_mul(a.r[i], b.r[i])); }
inline v16 div(v16 a, v16 b) { ELMAN_EACH(v16, r_div(a.r[i], b.r[i])); }
inline v16 sqrt(v16 a) { ELMAN_EACH(v16, r_sqrt(a.r[i])); }
inline v16 fma(v16 a, v16 b, v16 c) { ELMAN_EACH(v16, r_fma(a.r[i], b.r[i], c.r[i])); }    // a b + c
inline v16 fnma(v16 a, v16 b, v16 c) { ELMAN_EACH(v16, r_fnma(a.r[i], b.r[i], c.r[i])); }  // c - a b
inline m16 lt(v16 a, v16 b) { ELMAN_EACH(m16, r_lt(a.r[i], b.r[i])); }
inline m16 le(v16 a, v16 b) { ELMAN_EACH(m16, r_le(a.r[i], b.r[i])); }
inline v16 select(m16 m, v16 yes, v16 no) { ELMAN_EACH(v16, r_select(m.r[i], yes.r[i], no.r[i])); }
inline v16 abs(v16 a) { ELMAN_EACH(v16, r_abs(a.r[i])); }
inline v16 copysign(v16 a, v16 sign) { ELMAN_EACH(v16, r_copysign(a.r[i], sign.r[i])); }
inline v16 pow2(v16 n) { ELMAN_EACH(v16, r_pow2(n.r[i])); }  // 2^n for whole n in -126 .. 127
#undef ELMAN_EACH
inline v16 load_n(const float* p, int64_t n) {
  if (n >= 16) return load(p);
  float lanes[16] = {};
  for (int64_t i = 0; i < n; ++i) lanes[i] = p[i];
  return load(lanes);
}
inline void store_n(float* p, v16 a, int64_t n) {
  if (n >= 16) return store(p, a);
  float lanes[16];
  store(lanes, a);
  for (int64_t i = 0; i < n; ++i) p[i] = lanes[i];
}

#endif

// a b + c of single floats.
inline float fma(float a, float b, float c) {
#if defined(ELMAN_PORTABLE)
  return r_fma(r_set1(a), r_set1(b), r_set1(c))[0];
#else
  return __builtin_fmaf(a, b, c);
#endif
}

// The sum and the maximum of sixteen lanes: always this tree, in which lane i meets lane i + 8, then i + 4, i + 2, i + 1.
#if defined(ELMAN_AVX512) || defined(ELMAN_AVX2)
template <class F256, class F128>
inline float tree(v16 a, F256 of8, F128 of4) {
#if defined(ELMAN_AVX512)
  __m256 x = of8(_mm512_castps512_ps256(a.r), _mm512_extractf32x8_ps(a.r, 1));
#else
  __m256 x = of8(a.r[0], a.r[1]);
#endif
  __m128 y = of4(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  y = of4(y, _mm_movehl_ps(y, y));
  return _mm_cvtss_f32(of4(y, _mm_movehdup_ps(y)));
}
inline float sum_lanes(v16 a) {
  return tree(a, [](__m256 x, __m256 y) { return _mm256_add_ps(x, y); }, [](__m128 x, __m128 y) { return _mm_add_ps(x, y); });
}
inline float max_lanes(v16 a) {  // x < y ? y : x
  return tree(a, [](__m256 x, __m256 y) { return _mm256_max_ps(y, x); }, [](__m128 x, __m128 y) { return _mm_max_ps(y, x); });
}
#else
template <class F>
inline float tree(v16 a, F&& of) {
  alignas(64) float l[16];
  store(l, a);
  for (int half = 8; half; half /= 2)
    for (int i = 0; i < half; ++i) l[i] = of(l[i], l[i + half]);
  return l[0];
}
inline float sum_lanes(v16 a) {
  return tree(a, [](float x, float y) { return x + y; });
}
inline float max_lanes(v16 a) {
  return tree(a, [](float x, float y) { return x < y ? y : x; });
}
#endif
