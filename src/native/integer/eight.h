// Weights of 8 bits: sums of products of a panel's 32 columns. Integer addition is associative: terms may be split, and
// blocks taken in any order, where a float kernel may not.
#pragma once

constexpr int64_t kHalf = kUnits / 2;
constexpr int64_t kStride = kUnits * kGroup;  // bytes of a group of terms in a panel

// How weights of 8 bits are multiplied. rows, vectors: of a tile; split: how many sums a lone row keeps of each column, so
// that their latency is hidden. Four (nibbles.h) is its counterpart.
struct Eight {
  using Operand = ELMAN_ISA_NAME::Operand;
  static constexpr int bits = 8, group = kGroup, offset = kOffset, high = 0;
#if defined(ELMAN_AVX512VNNI)
  static constexpr int rows = 12, vectors = 2, split = 4;
#elif defined(ELMAN_AVXVNNI)
  static constexpr int rows = 6, vectors = 2, split = 2;
#elif defined(ELMAN_AVX2)
  static constexpr int rows = 6, vectors = 2, split = 1;  // an addition's latency is one
#elif defined(ELMAN_NEONDOT)
  static constexpr int rows = 4, vectors = 4, split = 2;
#elif defined(ELMAN_NEON)
  static constexpr int rows = 4, vectors = 2, split = 1;
#elif defined(ELMAN_PORTABLE) && defined(__SSE2__)
  static constexpr int rows = 2, vectors = 2, split = 1;
#else
  static constexpr int rows = 1, vectors = 4, split = 1;
#endif

  // R rows by V vectors, S sums of each. x: operands of row i at i * ldx; K: a multiple of 32. start: of all columns, or null.
  template <int R, int V, int S>
  __attribute__((noinline)) static void tile(int64_t K, const Operand* x, int64_t ldx, const int8_t* w, const int32_t* start,
                                             const int32_t*, int32_t* c, int64_t ldc) {
    Sum sum[R][V][S];
#pragma GCC unroll 12
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v)
#pragma GCC unroll 4
        for (int s = 0; s < S; ++s) sum[i][v][s] = start && s == 0 ? load_sum(start + v * kColumns) : zero();
#pragma GCC unroll 4
    for (int64_t k = 0; k < K; k += kGroup * S, w += kStride * S) {
#pragma GCC unroll 4
      for (int s = 0; s < S; ++s) {
        Weight column[V];
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) column[v] = load_weights(w + s * kStride + v * kColumns * kGroup);
#pragma GCC unroll 12
        for (int i = 0; i < R; ++i) {
          Input input = broadcast(x + i * ldx + k + s * kGroup);
#pragma GCC unroll 8
          for (int v = 0; v < V; ++v) sum[i][v][s] = dot(sum[i][v][s], column[v], input);
        }
      }
    }
#pragma GCC unroll 12
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) {
        Sum total = sum[i][v][0];
#pragma GCC unroll 4
        for (int s = 1; s < S; ++s) total = add_sums(total, sum[i][v][s]);
        store_sum(c + i * ldc + v * kColumns, total);
      }
  }
};
constexpr int kRows = Eight::rows;
