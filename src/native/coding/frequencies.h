// A network's logits as integer frequencies of the 256 bytes, and as a tree of their sums: the probability of a bit, given
// the bits of its byte before it, is a share of a node's sum.
//
// Floating point ends at once: one subtraction and one multiplication, which IEEE 754 defines, and a truncation.
#pragma once
#include <cstdint>

#include "tables.h"

namespace elman::coding {

constexpr int64_t kMostIds = 1024;       // of a vocabulary

// 2^23 exp(x) + 1 for x <= 0, and 1 from about -15.2 down; and for what is no number.
inline uint32_t frequency(float x) {
  float octaves = x * 94548.4622f;       // in 1/65536
  octaves = octaves > -1507328.0f ? octaves : -1507328.0f;  // 23 octaves
  octaves = octaves < 0.0f ? octaves : 0.0f;
  auto u = uint32_t(-int32_t(octaves));
  // 2^-f on [0, 1], as 1 - f/2 - f (1 - f) (a - b f): exact at both ends, elsewhere within 1.1e-4.
  uint32_t f = u & 65535, slope = 12545u - ((2565u * f) >> 16);
  uint32_t m = 65536u - (f >> 1) - ((((f * (65536u - f)) >> 16) * slope) >> 16);
  return ((m << 7) >> (u >> 16)) + 1;
}

// logits (ids) -> tree: node k has children 2k and 2k + 1; the leaf of byte b is node 256 + b. of_byte[b]: its id, or -1.
inline void fill_tree(const float* logits, int64_t ids, const int16_t* of_byte, uint32_t* tree) {
  float top = -__builtin_inff();
  for (int64_t j = 0; j < ids; ++j) top = logits[j] > top ? logits[j] : top;
  if (!of_byte) {
    for (int64_t j = 0; j < 256; ++j) tree[256 + j] = frequency(logits[j] - top);
  } else {
    for (int64_t j = 0; j < 256; ++j) tree[256 + j] = of_byte[j] < 0 ? 1 : frequency(logits[of_byte[j]] - top);
  }
  for (int64_t k = 255; k > 0; --k) tree[k] = tree[2 * k] + tree[2 * k + 1];
}

}  // namespace elman::coding
