#include "tables.h"

namespace elman::coding {
namespace {

// 65536 ln(x / 2^31) for x in [2^31, 2^32), digit by digit: squaring doubles a logarithm.
int32_t log_of(uint64_t x) {
  uint64_t log2 = 0;  // in 1/2^24
  for (int i = 0; i < 24; ++i) {
    x = (x * x) >> 31;
    log2 <<= 1;
    if (x >> 32) x >>= 1, log2 |= 1;
  }
  return int32_t((log2 * 2977044472u) >> 40);  // 2^32 ln 2
}

}  // namespace

Tables::Tables() {
  for (uint32_t i = 0; i < 4096; ++i) log[i] = log_of((uint64_t(8192) + 2 * i + 1) << 18);
  for (uint32_t i = 0; i < 4096; ++i)
    stretch[i] = int16_t(clamp(log256(*this, (2 * i + 1) << 16) - log256(*this, (8191 - 2 * i) << 16), -kStretchLimit,
                               kStretchLimit));
  uint64_t e = uint64_t(1) << 40;  // 2^40 exp(-i / 256)
  for (int i = 0; i <= kSquashLimit; ++i) {
    uint64_t below = (uint64_t(65536) << 24) / ((uint64_t(1) << 24) + (e >> 16) );  // of +i
    below = below > 65535 ? 65535 : below;
    squash[kSquashLimit + i] = uint16_t(below);
    squash[kSquashLimit - i] = uint16_t(65536 - below);
    e = ((e >> 8) * 4278222805u) >> 24;
  }
}

const Tables& tables() {
  static const Tables all;
  return all;
}

}  // namespace elman::coding
