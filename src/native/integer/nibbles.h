// Weights of 4 bits, two in a byte: one stream waits for memory, and this is half of it.
//
// A panel's byte has two columns: in its low half a weight of one of the first sixteen, as q + 8 in 0 .. 15; in its high half
// the same term of the column sixteen further on, as q, so that the byte is the int8 16 q' + (q + 8). Multiplied as they
// are, the bytes sum up to 16 times the high column and once the low one, which a mask gives alone: one instruction makes
// both operands. `end` takes the sums apart, and from the low one what the 8 has added: 8 times the sum of x.
#pragma once

#if defined(ELMAN_AVX2)

// vpmaddubsw, unsigned weights by signed operands. It saturates, but a pair of products is at most 2 * 15 * 127 = 3810, and
// the eight pairs that `Partial` adds up before they are widened at most 30480. Both halves are q + 8 here.
struct Four {
  using Operand = int8_t;
  using Partial = __m256i;         // (8 columns, 2) words
  static constexpr int bits = 4, group = 4, offset = 0, rows = 3, vectors = 1, split = 1, high = 8;
  static void load(const int8_t* p, Weight& low, Weight& high) {
    __m256i both = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)), mask = _mm256_set1_epi8(15);
    low = _mm256_and_si256(both, mask), high = _mm256_and_si256(_mm256_srli_epi16(both, 4), mask);
  }
  static constexpr bool widens = true;
  static Partial none() { return _mm256_setzero_si256(); }
  static Partial dot(Partial sum, Weight w, Input x) { return _mm256_add_epi16(sum, _mm256_maddubs_epi16(w, x)); }
  static Sum widen(Sum sum, Partial part) { return _mm256_add_epi32(sum, _mm256_madd_epi16(part, words(1))); }
  static void end(Sum& a, Sum& b, int32_t less) { a = subtract(a, less), b = subtract(b, less); }
};

#else

struct Four {
  using Operand = ELMAN_ISA_NAME::Operand;
  using Partial = Sum;
  static constexpr int bits = 4, group = kGroup, offset = kOffset, high = 0;
#if defined(ELMAN_AVX512VNNI)
  static constexpr int rows = 12, vectors = 1, split = 4;
#elif defined(ELMAN_AVXVNNI)
  static constexpr int rows = 6, vectors = 1, split = 2;
#elif defined(ELMAN_NEONDOT)
  static constexpr int rows = 4, vectors = 2, split = 2;
#elif defined(ELMAN_NEON)
  static constexpr int rows = 4, vectors = 1, split = 1;
#else
  static constexpr int rows = 1, vectors = 1, split = 1;
#endif
  static void load(const int8_t* p, Weight& low, Weight& high) {
    high = load_weights(p);
#if defined(ELMAN_AVX512VNNI) && !defined(ELMAN_EMULATED)
    asm("" : "+v"(high));  // GCC would load it twice, once for each use, and loads are what a lone row waits for
#endif
    low = low_halves(high);
  }
  static constexpr bool widens = false;
  static Partial none() { return zero(); }
  static Partial dot(Partial sum, Weight w, Input x) { return ELMAN_ISA_NAME::dot(sum, w, x); }
  static Sum widen(Sum, Partial part) { return part; }
  static void end(Sum& a, Sum& b, int32_t less) { b = sixteenth(b, a), a = subtract(a, less); }
};

#endif
