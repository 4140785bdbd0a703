// How work is divided between threads.
#pragma once
#include <cstdint>

namespace elman {

// Always inlined, as each instruction set must keep its own copy.
#define ELMAN_INLINED __attribute__((always_inline)) inline

ELMAN_INLINED constexpr int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
ELMAN_INLINED constexpr int64_t most(int64_t a, int64_t b) { return a < b ? b : a; }

struct Range {
  int64_t begin, end;
};

// Part `id` of `n` of 0 .. count-1 in units.
ELMAN_INLINED Range share(int64_t count, int64_t unit, int id, int n) {
  int64_t units = (count + unit - 1) / unit;
  return {least(count, units * id / n * unit), least(count, units * (id + 1) / n * unit)};
}
ELMAN_INLINED int64_t largest_share(int64_t count, int64_t unit, int n) {
  int64_t units = (count + unit - 1) / unit;
  return least(count, (units + n - 1) / n * unit);
}

#undef ELMAN_INLINED
// Whether `bytes` of weights that are read again and again, by every step of a sequence, are more than a core's own cache
// keeps. Then every second step should read them from their end: the last are still near, and of the same order none would be.
inline bool outgrow_the_cache(int64_t bytes) { return bytes > (int64_t(1) << 20); }

}  // namespace elman
