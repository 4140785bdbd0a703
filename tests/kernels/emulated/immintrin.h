// In place of the compiler's header: every intrinsic as plain C, by SIMD Everywhere, so that code for instructions that
// this machine does not have runs all the same.
#pragma once
#define SIMDE_ENABLE_NATIVE_ALIASES
#define ELMAN_EMULATED
#include <simde/x86/avx512.h>

#include <cmath>

#define _mm256_dpbusd_avx_epi32 simde_mm256_dpbusd_epi32

// Not in SIMD Everywhere 0.7.4.
inline simde__m512 _mm512_cvtepi32_ps(simde__m512i a) {
  simde__m512i_private x = simde__m512i_to_private(a);
  simde__m512_private y;
  for (int i = 0; i < 16; ++i) y.f32[i] = float(x.i32[i]);
  return simde__m512_from_private(y);
}
inline simde__m512i _mm512_cvtps_epi32(simde__m512 a) {
  simde__m512_private x = simde__m512_to_private(a);
  simde__m512i_private y;
  for (int i = 0; i < 16; ++i) y.i32[i] = int32_t(std::nearbyint(x.f32[i]));
  return simde__m512i_from_private(y);
}
inline simde__m512i _mm512_srai_epi32(simde__m512i a, unsigned count) {
  simde__m512i_private x = simde__m512i_to_private(a);
  for (int i = 0; i < 16; ++i) x.i32[i] >>= count;
  return simde__m512i_from_private(x);
}
