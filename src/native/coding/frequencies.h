// A network's logits as integer frequencies of the 256 bytes, and as a tree of their sums: the probability of a bit, given
// the bits of its byte before it, is a share of a node's sum.
//
// Floating point ends at once: one subtraction and one multiplication, which IEEE 754 defines, and a truncation.
#pragma once
#include <cstdint>

#include "tables.h"

namespace elman::coding {

constexpr int64_t kMostIds = 1024;       // of a vocabulary

// 2^kBits exp(x) for x <= 0, and 0 or 1 from exp(x) = 2^-kBits down; and for what is no number. kBits: 16 .. 30.
template <int kBits>
inline uint32_t power(float x) {
  float octaves = x * 94548.4622f;       // in 1/65536
  octaves = octaves > -65536.0f * kBits ? octaves : -65536.0f * kBits;
  octaves = octaves < 0.0f ? octaves : 0.0f;
  auto u = uint32_t(-int32_t(octaves));
  // 2^-f on [0, 1], as 1 - f/2 - f (1 - f) (a - b f): exact at both ends, elsewhere within 1.1e-4.
  uint32_t f = u & 65535, slope = 12545u - ((2565u * f) >> 16);
  uint32_t m = 65536u - (f >> 1) - ((((f * (65536u - f)) >> 16) * slope) >> 16);
  return (m << (kBits - 16)) >> (u >> 16);
}
inline uint32_t frequency(float x) { return power<23>(x) + 1; }

// The largest of the logits; what is no number is not.
inline float top_of(const float* __restrict logits, int64_t ids) {
  float tops[8], top = -__builtin_inff();
  for (float& t : tops) t = top;
  int j = 0, count = int(ids);
  for (; j + 8 <= count; j += 8)
    for (int l = 0; l < 8; ++l) tops[l] = logits[j + l] > tops[l] ? logits[j + l] : tops[l];
  for (; j < count; ++j) tops[0] = logits[j] > tops[0] ? logits[j] : tops[0];
  for (float t : tops) top = t > top ? t : top;
  return top;
}

// logits (ids) -> frequencies (ids), finer than those of a tree: 2^30 at the top.
inline void fine_frequencies(const float* __restrict logits, int64_t ids, uint32_t* __restrict to) {
  const float top = top_of(logits, ids);
  for (int64_t j = 0; j < ids; ++j) to[j] = power<30>(logits[j] - top);
}

// logits (ids) -> tree: node k has children 2k and 2k + 1; the leaf of byte b is node 256 + b. of_byte[b]: its id, or -1.
inline void fill_tree(const float* __restrict logits, int64_t ids, const int16_t* of_byte, uint32_t* __restrict tree) {
  const float top = top_of(logits, ids);
  if (!of_byte) {
    for (int b = 0; b < 256; ++b) tree[256 + b] = frequency(logits[b] - top);
  } else {
    for (int b = 0; b < 256; ++b) tree[256 + b] = of_byte[b] < 0 ? 1 : frequency(logits[of_byte[b]] - top);
  }
  for (int nodes = 128; nodes > 0; nodes /= 2) {
    const uint32_t* from = tree + 2 * nodes;
    uint32_t* to = tree + nodes;
#if !defined(__clang__)
#pragma GCC ivdep
#endif
    for (int k = 0; k < nodes; ++k) to[k] = from[2 * k] + from[2 * k + 1];
  }
}

}  // namespace elman::coding
