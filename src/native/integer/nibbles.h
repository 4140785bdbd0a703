// Weights of 4 bits, two in a byte: one stream waits for memory, and this is half of it. Plain loops take three times as
// long to unpack them as they wait, so portable kernels keep a byte for each (`Table::nibbles`).
//
// A panel's byte has two columns: in its low half a weight of one of the first sixteen, as q + 8 in 0 .. 15; in its high half
// the same term of the column sixteen further on, as q, so the byte is the int8 16 q' + (q + 8). Multiplied as they
// are, the bytes sum up to 16 times the high column and once the low one, which a mask gives alone: one instruction makes
// both operands. `end` takes the sums apart, and from the low one what the 8 has added: 8 times the sum of x.
#pragma once

#if defined(ELMAN_PORTABLE) || defined(ELMAN_WASM)

using Four = Eight;

#else

template <bool second, class A, class B>
inline auto& choose_sums(A& a, B& b) {
  if constexpr (second) return b;
  else return a;
}

#if defined(ELMAN_AVX2)

// vpmaddubsw, unsigned weights by signed operands. It saturates, but a pair of products is at most 2 * 15 * 127 = 3810, and
// the eight pairs that `Partial` adds up before they are widened at most 30480. Both halves are q + 8 here.
struct Nibbles {
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

struct Nibbles {
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

struct Four : Nibbles {
  // R rows by V vectors of bytes, and as many columns sixteen further on. The sums of x (q + 8) are `less` (R) too large.
  template <int R, int V, int S>
  __attribute__((noinline)) static void tile(int64_t K, const Operand* x, int64_t ldx, const int8_t* w, const int32_t* start,
                                             const int32_t* less, int32_t* c, int64_t ldc) {
    constexpr int stride = kHalf * group;
    Sum sum[R][2 * V][S];
#pragma GCC unroll 12
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 8
      for (int v = 0; v < 2 * V; ++v)
#pragma GCC unroll 4
        for (int s = 0; s < S; ++s) sum[i][v][s] = zero();
    for (int64_t k = 0; k < K; k += kUnits) {
      Partial part[widens ? R : 1][2 * V][S];
#pragma GCC unroll 12
      for (int i = 0; i < R && widens; ++i)
#pragma GCC unroll 8
        for (int v = 0; v < 2 * V; ++v)
#pragma GCC unroll 4
          for (int s = 0; s < S; ++s) part[i][v][s] = none();
      auto& to = choose_sums<widens>(sum, part);
#pragma GCC unroll 16
      for (int g = 0; g < kUnits / group; ++g, w += stride) {
        Weight low[V], high[V];
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) {
          load(w + v * kColumns * group, low[v], high[v]);
        }
#pragma GCC unroll 12
        for (int i = 0; i < R; ++i) {
          Input input = broadcast(x + i * ldx + k + g * group);
#pragma GCC unroll 8
          for (int v = 0; v < V; ++v) {
            to[i][v][g % S] = dot(to[i][v][g % S], low[v], input);
            to[i][V + v][g % S] = dot(to[i][V + v][g % S], high[v], input);
          }
        }
      }
#pragma GCC unroll 12
      for (int i = 0; i < R && widens; ++i)
#pragma GCC unroll 8
        for (int v = 0; v < 2 * V; ++v)
#pragma GCC unroll 4
          for (int s = 0; s < S; ++s) sum[i][v][s] = widen(sum[i][v][s], part[i][v][s]);
    }
#pragma GCC unroll 12
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) {
        Sum low = sum[i][v][0], high = sum[i][V + v][0];
#pragma GCC unroll 4
        for (int s = 1; s < S; ++s) low = add_sums(low, sum[i][v][s]), high = add_sums(high, sum[i][V + v][s]);
        end(low, high, less[i]);
        int64_t first = v * kColumns, second = first + kHalf;
        if (start) low = add_sums(low, load_sum(start + first)), high = add_sums(high, load_sum(start + second));
        store_sum(c + i * ldc + first, low), store_sum(c + i * ldc + second, high);
      }
  }
};

#endif
