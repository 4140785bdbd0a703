// Register of no instruction set in particular: vectors of the compiler, which it takes apart where the machine has none; a
// mask is all ones or zeros. Where nothing multiplies and adds at once, `r_fma` computes it through doubles.
//
// Included by simd.h for the portable kernel, inside namespace elman::ISA.
#pragma once

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
