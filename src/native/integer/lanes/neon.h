// Lanes of NEON, and of NEON with dot products; ../lanes.h says what each function does.
#pragma once

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
