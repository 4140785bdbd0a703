// The integer kernels for one instruction set. CMake compiles this file once for each, with ELMAN_ISA_NAME and one of
// ELMAN_AVX512VNNI, ELMAN_AVXVNNI, ELMAN_AVX2, ELMAN_NEONDOT, ELMAN_NEON, ELMAN_WASM or ELMAN_PORTABLE defined, with
// -ffp-contract=off. Like ../isa.cpp it instantiates nothing of the standard library.
#include "integer.h"
#include "../team/pool.h"
#include "../team/share.h"

#include <cstring>

#if defined(ELMAN_AVX512VNNI) || defined(ELMAN_AVXVNNI) || defined(ELMAN_AVX2)
#include <immintrin.h>
#elif defined(ELMAN_NEONDOT) || defined(ELMAN_NEON)
#include <arm_neon.h>
#elif defined(ELMAN_WASM)
#include <wasm_simd128.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace elman::integer {
namespace ELMAN_ISA_NAME {
namespace {

// mask, all ones or zero, chooses between floats: without a branch, so loops of it become vectors.
inline float choose_by(int32_t mask, float yes, float no) {
  int32_t y, n;
  memcpy(&y, &yes, 4), memcpy(&n, &no, 4);
  n = (y & mask) | (n & ~mask);
  memcpy(&no, &n, 4);
  return no;
}

// To nearest, ties to even, for |x| < 2^30; without a library's rint.
inline int32_t nearest(float x) {
  int32_t bits, of_point;
  memcpy(&bits, &x, 4);
  of_point = (bits & int32_t(0x80000000)) | 0x4b000000;  // 2^23 with the sign of x: floats from here on are whole
  float point;
  memcpy(&point, &of_point, 4);
  return int32_t(choose_by(-int32_t((bits & 0x7fffffff) < 0x4b000000), (x + point) - point, x));
}

#include "lanes.h"
#include "eight.h"
#include "nibbles.h"
#include "products.h"
#include "pointwise.h"
#include "nats.h"
#include "lane.h"
#include "reading.h"

}  // namespace

#define ELMAN_STRING_(x) #x
#define ELMAN_STRING(x) ELMAN_STRING_(x)
extern const Table table;
const Table table = {
    ELMAN_STRING(ELMAN_ISA_NAME), kOffset != 0, Four::bits == 4, memory_of, pack, read, generate, function, nats, log_softmax, weights, peak,
};

}  // namespace ELMAN_ISA_NAME
}  // namespace elman::integer
