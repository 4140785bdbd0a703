// Logarithms and the logistic function in integers. The logistic domain is st = ln(p / (1 - p)) in units of 1/256.
//
// The tables are computed when first used, by integer operations alone, so they are the same everywhere.
#pragma once
#include <cstdint>

namespace elman::coding {

constexpr int32_t kStretchLimit = 2047;  // of a mixer's inputs: p from 3.4e-4
constexpr int32_t kSquashLimit = 2840;   // of its output: p from 1.5e-5

struct Tables {
  int32_t log[4096];                       // 65536 ln(1 + (i + 1/2) / 4096), rounded down
  int16_t stretch[4096];                   // of p = (i + 1/2) / 4096, within +-kStretchLimit
  uint16_t squash[2 * kSquashLimit + 1];   // of i - kSquashLimit: 65536 p, within 1..65535
  Tables();
};
const Tables& tables();

inline int32_t clamp(int32_t x, int32_t low, int32_t high) { return x < low ? low : x > high ? high : x; }

inline int top_bit(uint32_t x) { return 31 - __builtin_clz(x); }  // x > 0

// 256 ln x, x > 0.
inline int32_t log256(const Tables& t, uint32_t x) {
  constexpr int32_t kLn2 = 45426;  // 65536 ln 2
  int e = top_bit(x);
  return (e * kLn2 + t.log[(x << (31 - e) >> 19) & 4095]) >> 8;
}
inline int32_t stretch(const Tables& t, uint32_t p16) { return t.stretch[p16 >> 4]; }
inline uint32_t squash(const Tables& t, int32_t st) {
  return t.squash[clamp(st, -kSquashLimit, kSquashLimit) + kSquashLimit];
}

}  // namespace elman::coding
