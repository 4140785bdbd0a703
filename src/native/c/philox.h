// Philox4x64-10, as NumPy's raw words: every random stream that the package draws from, but dropout's (../../elman/philox.py).
// Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011).
#pragma once
#include <cstdint>

namespace elman::c {

constexpr uint64_t kDraws = uint64_t(1) << 33;  // the first use of the draws of a text

// Word `index` of the stream under the key (seed, use).
inline uint64_t random_word(uint64_t seed, uint64_t use, uint64_t index) {
  auto high = [](uint64_t a, uint64_t b) {
    uint64_t a0 = uint32_t(a), a1 = a >> 32, b0 = uint32_t(b), b1 = b >> 32, m = a1 * b0 + (a0 * b0 >> 32);
    return a1 * b1 + (m >> 32) + ((a0 * b1 + uint32_t(m)) >> 32);
  };
  constexpr uint64_t m0 = 0xD2E7470EE14C6C93u, m1 = 0xCA5A826395121157u;
  uint64_t c[4] = {index / 4 + 1, 0, 0, 0}, k0 = seed, k1 = use;
  for (int round = 0; round < 10; ++round) {
    uint64_t a = high(c[2], m1) ^ c[1] ^ k0, b = high(c[0], m0) ^ c[3] ^ k1;
    c[1] = c[2] * m1, c[3] = c[0] * m0, c[0] = a, c[2] = b;
    k0 += 0x9E3779B97F4A7C15u, k1 += 0xBB67AE8584CAA73Bu;
  }
  return c[index % 4];
}

// In [0, 1), 53 bits.
inline double random_unit(uint64_t word) { return double(word >> 11) * 0x1p-53; }

}  // namespace elman::c
