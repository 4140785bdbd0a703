// The portable kernel's multiply-add against the C library's fmaf, bit by bit: fma [MILLIONS], 100 unless said. Random
// words; exponents close together, where sums cancel; near the ends of the range; and sums that lie on or beside the
// middle of two floats; and one that reads another's result, whose rounding a compiler may lose. build_driver.sh builds it: DRIVER=fma build_driver.sh COMPILER PROGRAM
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

using std::memcpy;

namespace {
#define ELMAN_PORTABLE
#include "float/simd.h"

uint64_t state = 1;
uint64_t random_word() {  // SplitMix64
  uint64_t z = state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
float of_bits(uint32_t bits) {
  float x;
  memcpy(&x, &bits, 4);
  return x;
}
uint32_t bits_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  return x != x ? 0x7fc00000u : bits;  // a NaN is a NaN
}
// Random sign and fraction, of which `zeros` last bits are zero; the exponent clamped to 0 .. 255 (denormals, infinities).
float with(int64_t exponent, int zeros) {
  uint64_t word = random_word();
  uint32_t field = uint32_t(exponent < 0 ? 0 : exponent > 255 ? 255 : exponent);
  return of_bits(uint32_t(word & 0x80000000u) | field << 23 | (uint32_t(word >> 32) & 0x7fffffu) >> zeros << zeros);
}
int64_t below(int64_t n) { return int64_t(random_word() % uint64_t(n)); }

// Three operands in one of several ways.
void operands(float& a, float& b, float& c) {
  switch (below(6)) {
    case 0:  // anything
      a = of_bits(uint32_t(random_word())), b = of_bits(uint32_t(random_word())), c = of_bits(uint32_t(random_word()));
      return;
    case 1: {  // c of the product's size, or up to 60 bits away
      int64_t i = below(256), j = below(256);
      a = with(i, 0), b = with(j, 0), c = with(i + j - 127 + below(121) - 60, 0);
      return;
    }
    case 2: {  // denormal results, and those that vanish
      int64_t i = below(200);
      a = with(i, int(below(24))), b = with(127 - 24 - i + below(50) - 25, int(below(24))), c = with(below(3), int(below(24)));
      return;
    }
    case 3: {  // overflow
      int64_t i = 100 + below(155);
      a = with(i, int(below(24))), b = with(254 + 127 - i + below(5) - 3, int(below(24))), c = with(250 + below(6), 0);
      return;
    }
    case 4: {  // short fractions: exact middles of two floats, and what is just beside them
      int64_t i = 60 + below(130), j = 60 + below(130);
      a = with(i, 23 - int(below(13))), b = with(j, 23 - int(below(13))), c = with(i + j - 127 + below(61) - 30, int(below(24)));
      return;
    }
    default: {  // c = -(a b), rounded, or a neighbour: nearly all cancels
      int64_t i = below(256);
      a = with(i, 0), b = with(254 - i + below(9) - 4, 0);
      c = of_bits(bits_of(-(a * b)) + uint32_t(below(3)) - 1);
    }
  }
}
}  // namespace

int main(int count, char** arguments) {
  int64_t blocks = (count > 1 ? std::atoll(arguments[1]) : 100) * 1000000 / 16, wrong = 0;
  float a[16], b[16], c[16], y[16], z[16], chain[16];
  for (int64_t block = 0; block < blocks; ++block) {
    for (int i = 0; i < 16; ++i) operands(a[i], b[i], c[i]);
    store(y, fma(load(a), load(b), load(c)));
    store(z, fnma(load(a), load(b), load(c)));
    store(chain, fma(fma(load(a), load(b), load(c)), load(c), fnma(load(b), load(c), load(a))));
    for (int i = 0; i < 16; ++i) {
      bool same = bits_of(y[i]) == bits_of(std::fmaf(a[i], b[i], c[i])) && bits_of(z[i]) == bits_of(std::fmaf(-a[i], b[i], c[i]));
      float expected = std::fmaf(std::fmaf(a[i], b[i], c[i]), c[i], std::fmaf(-b[i], c[i], a[i]));
      same &= bits_of(chain[i]) == bits_of(expected);
      if (!same && wrong++ < 10)
        std::printf("%a * %a + %a: %a, not %a; chained %a, not %a\n", double(a[i]), double(b[i]), double(c[i]), double(y[i]),
                    double(std::fmaf(a[i], b[i], c[i])), double(chain[i]), double(expected));
    }
  }
  std::printf("%lld multiply-adds, %lld wrong\n", static_cast<long long>(32 * blocks), static_cast<long long>(wrong));
  return wrong != 0;
}
