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
#else  // portable: vectors of the compiler, which it takes apart where the machine has none; a mask is all ones or zeros
#if !defined(__FLT_EVAL_METHOD__) || __FLT_EVAL_METHOD__ != 0
#error "floats must be computed as floats: on 32-bit x86 compile with -msse2 -mfpmath=sse"
#endif
typedef float Register __attribute__((vector_size(16)));
typedef int32_t Words __attribute__((vector_size(16)));
typedef double Doubles __attribute__((vector_size(16)));
typedef uint64_t Longs __attribute__((vector_size(16)));
constexpr int kParts = 4;
inline Register r_set1(float x) { return Register{x, x, x, x}; }
inline Register r_load(const float* p) {
  Register a;
  memcpy(&a, p, 16);
  return a;
}
inline void r_store(float* p, Register a) { memcpy(p, &a, 16); }
inline Register r_add(Register a, Register b) { return a + b; }
inline Register r_sub(Register a, Register b) { return a - b; }
inline Register r_mul(Register a, Register b) { return a * b; }
inline Register r_div(Register a, Register b) { return a / b; }
inline Register r_sqrt(Register a) {
  return Register{__builtin_sqrtf(a[0]), __builtin_sqrtf(a[1]), __builtin_sqrtf(a[2]), __builtin_sqrtf(a[3])};
}
#if defined(__wasm_relaxed_simd__)  // the caller has seen that it multiplies and adds at once: native/c/elman.h
inline Register r_fma(Register a, Register b, Register c) {
  return Register(wasm_f32x4_relaxed_madd(v128_t(a), v128_t(b), v128_t(c)));
}
#elif defined(__FMA__) || defined(__ARM_FEATURE_FMA)
inline Register r_fma(Register a, Register b, Register c) {
  return Register{__builtin_fmaf(a[0], b[0], c[0]), __builtin_fmaf(a[1], b[1], c[1]), __builtin_fmaf(a[2], b[2], c[2]),
                  __builtin_fmaf(a[3], b[3], c[3])};
}
#else
// GCC 12 at -O3 makes vectors of straight-line code (-ftree-slp-vectorize). Where a float that was just rounded from a double
// becomes a double again, as when one multiply-add reads another's result, it drops both conversions, and with them the
// rounding: chains of multiply-adds had other bits, in an LSTM's gradient. Clang, and GCC without that pass, keep them. So the
// result passes through an empty instruction, through which no compiler sees. tests/kernels/fma.cpp chains them.
#if defined(__SSE2__)
#define ELMAN_KEEP(x) __asm__("" : "+x"(x))
#else
#define ELMAN_KEEP(x) __asm__("" : "+m"(x))
#endif
// a b + c rounded to odd: cut off to a double's 53 bits, the last bit set if that left anything out. Rounded once more, to
// a float's 24 bits or a denormal's fewer, it gives what one rounding of the exact value gives, because at least two bits
// more are there, and ties and what is beside them differ. No step before overflows or underflows: a b has 48 bits and an
// exponent far inside a double's. `error` is exactly what the sum left out (Knuth's two-sum); infinities and NaNs make it
// NaN, whose comparisons are false. Source: Boldo and Melquiond, "Emulation of FMA and correctly rounded sums" (2008).
inline Doubles fma_to_odd(Doubles a, Doubles b, Doubles c) {
  Doubles p = a * b, sum = p + c, back = sum - p, error = (p - (sum - back)) + (c - back), side = sum * error;
  Longs beyond = Longs(side < Doubles{}), inexact = beyond | Longs(side > Doubles{}), bits = Longs(sum);
  return Doubles((bits + beyond) | (inexact >> 63));  // beyond is -1: sum lies farther from zero than the exact value
}
#if defined(__wasm_simd128__) || defined(__SSE2__)
#define ELMAN_ROUND_TO_ODD __attribute__((noinline)) inline Register r_fma_to_odd
#else
#define ELMAN_ROUND_TO_ODD inline Register r_fma
#endif
ELMAN_ROUND_TO_ODD(Register a, Register b, Register c) {
  Doubles low = fma_to_odd(Doubles{a[0], a[1]}, Doubles{b[0], b[1]}, Doubles{c[0], c[1]});
  Doubles high = fma_to_odd(Doubles{a[2], a[3]}, Doubles{b[2], b[3]}, Doubles{c[2], c[3]});
  Register rounded{float(low[0]), float(low[1]), float(high[0]), float(high[1])};
  ELMAN_KEEP(rounded);
  return rounded;
}
// The sum in doubles, rounded once to 53 bits and then to a float. The second rounding is the exact value's, unless the first
// landed on a tie between two floats (low 29 bits 100...0), or the result is denormal and has fewer bits: about one in 2^29.
#if defined(__wasm_simd128__)
inline Register r_fma(Register a, Register b, Register c) {
  v128_t x = v128_t(a), y = v128_t(b), z = v128_t(c);
  auto sum = [](v128_t p, v128_t q, v128_t r) {
    p = wasm_f64x2_mul(wasm_f64x2_promote_low_f32x4(p), wasm_f64x2_promote_low_f32x4(q));
    return wasm_f64x2_add(p, wasm_f64x2_promote_low_f32x4(r));
  };
  auto upper = [](v128_t v) { return wasm_i64x2_shuffle(v, v, 1, 0); };
  v128_t low = sum(x, y, z), high = sum(upper(x), upper(y), upper(z));
  v128_t to = wasm_i64x2_shuffle(wasm_f32x4_demote_f64x2_zero(low), wasm_f32x4_demote_f64x2_zero(high), 0, 2);
  v128_t tie = wasm_i32x4_eq(wasm_i32x4_shl(wasm_i32x4_shuffle(low, high, 0, 2, 4, 6), 3), wasm_i32x4_splat(INT32_MIN));
  // Below the smallest normal number and its neighbour, but not 0: a magnitude of 1 .. 0x00800000.
  v128_t size = wasm_i32x4_sub(wasm_v128_and(to, wasm_i32x4_splat(INT32_MAX)), wasm_i32x4_splat(1));
  v128_t tiny = wasm_u32x4_lt(size, wasm_i32x4_splat(0x00800000));
  if (__builtin_expect(wasm_v128_any_true(wasm_v128_or(tie, tiny)), 0)) return r_fma_to_odd(a, b, c);
  return Register(to);
}
#elif defined(__SSE2__)
inline Register r_fma(Register a, Register b, Register c) {
  auto sum = [](__m128 p, __m128 q, __m128 r) {
    return _mm_add_pd(_mm_mul_pd(_mm_cvtps_pd(p), _mm_cvtps_pd(q)), _mm_cvtps_pd(r));
  };
  auto upper = [](Register v) { return _mm_movehl_ps(v, v); };
  __m128d low = sum(a, b, c), high = sum(upper(a), upper(b), upper(c));
  Register to = _mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high));
  ELMAN_KEEP(to);
  __m128i ends = _mm_castps_si128(_mm_shuffle_ps(_mm_castpd_ps(low), _mm_castpd_ps(high), _MM_SHUFFLE(2, 0, 2, 0)));
  __m128i tie = _mm_cmpeq_epi32(_mm_slli_epi32(ends, 3), _mm_set1_epi32(INT32_MIN)), bits = _mm_castps_si128(to);
  // Twice a magnitude of 1 .. 0x00800000 is 2 .. 2^24, which the sum makes the most negative numbers, and of 0 the largest.
  __m128i size = _mm_add_epi32(_mm_add_epi32(bits, bits), _mm_set1_epi32(INT32_MAX));
  __m128i tiny = _mm_cmplt_epi32(size, _mm_set1_epi32(INT32_MIN + (1 << 24)));
  if (__builtin_expect(_mm_movemask_epi8(_mm_or_si128(tie, tiny)), 0)) return r_fma_to_odd(a, b, c);
  return to;
}
#endif
#undef ELMAN_ROUND_TO_ODD
#endif
inline Register r_fnma(Register a, Register b, Register c) { return r_fma(-a, b, c); }
inline Register r_lt(Register a, Register b) { return Register(a < b); }
inline Register r_le(Register a, Register b) { return Register(a <= b); }
inline Register r_select(Register m, Register yes, Register no) {
  return Register((Words(m) & Words(yes)) | (~Words(m) & Words(no)));
}
inline Register r_abs(Register a) { return Register(Words(a) & 0x7fffffff); }
inline Register r_copysign(Register a, Register sign) { return r_select(Register(Words{} + 0x7fffffff), a, sign); }
inline Register r_pow2(Register n) {
  Words inside = (n >= r_set1(-126.0f)) & (n <= r_set1(127.0f));  // outside are only NaNs, which the caller keeps
  return Register((__builtin_convertvector(Register(Words(n) & inside), Words) + 127) << 23);
}
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
