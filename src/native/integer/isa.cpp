// The integer kernels for one instruction set. CMake compiles this file once for each, with ELMAN_ISA_NAME and one of
// ELMAN_AVX512VNNI, ELMAN_AVXVNNI, ELMAN_AVX2, ELMAN_NEONDOT, ELMAN_NEON or ELMAN_PORTABLE defined, with
// -ffp-contract=off. Like ../isa.cpp it instantiates nothing of the standard library.
#include "integer.h"
#include "../pool.h"

#include <cstring>

#if defined(ELMAN_AVX512VNNI) || defined(ELMAN_AVXVNNI) || defined(ELMAN_AVX2)
#include <immintrin.h>
#elif defined(ELMAN_NEONDOT) || defined(ELMAN_NEON)
#include <arm_neon.h>
#endif

namespace elman::integer {
namespace ELMAN_ISA_NAME {
namespace {

// To nearest, ties to even, for |x| < 2^30; without a library's rint.
inline int32_t nearest(float x) {
  constexpr float whole = 8388608.0f;  // 2^23: floats from here on are whole
  float point = x < 0.0f ? -whole : whole, rounded = (x + point) - point;
  return int32_t(x < whole && x > -whole ? rounded : x);
}

#include "lanes.h"
#include "products.h"
#include "pointwise.h"
#include "nats.h"
#include "reading.h"

}  // namespace

#define ELMAN_STRING_(x) #x
#define ELMAN_STRING(x) ELMAN_STRING_(x)
extern const Table table;
const Table table = {
    ELMAN_STRING(ELMAN_ISA_NAME), kOffset != 0, memory_of, pack, read, generate, function, nats, peak,
};

}  // namespace ELMAN_ISA_NAME
}  // namespace elman::integer
