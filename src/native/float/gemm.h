// Matrix products in exact order: every output element has one accumulator, which starts from a given value and takes its
// terms for k = 0, 1, 2, ... by one fused multiply-add each. Blocks and tiles divide rows and columns, or store and
// reload the accumulator between two k; neither changes a bit.
#pragma once

// kRows: rows of a tile, at most. kVectors: of a tile's columns. kThin: panels side by side for one row.
#if defined(ELMAN_AVX512)
constexpr int kRows = 12, kVectors = 2;  // 24 accumulators of 32 registers: 24 FMAs for 14 loads
constexpr int kThin = 4;                 // 8
#elif defined(ELMAN_AVX2)
constexpr int kRows = 6, kVectors = 1;  // 12 of 16
constexpr int kThin = 2;                // 8
#elif defined(ELMAN_NEON)
constexpr int kRows = 6, kVectors = 1;  // 24 of 32
constexpr int kThin = 2;                // 16
#else
constexpr int kRows = 2, kVectors = 1;
constexpr int kThin = 2;
#endif
constexpr int64_t kBlock = 256;  // k: a block of one panel is 32 KiB, and stays in the first-level cache

// Where the accumulators of row i start: zero; or base + i * stride; or base + index[i] * stride.
struct Start {
  const float* base = nullptr;
  int64_t stride = 0;  // 0: every row from the same vector, a bias
  const int64_t* index = nullptr;
  const float* row(int64_t i) const { return base ? base + (index ? index[i] : i) * stride : nullptr; }
};

// Where N sums start, the first `columns` of them at `start`, or all at zero if that is null. Fewer than N come by way of
// `edge`: sums loaded in part are kept in memory by GCC, each a store and a load for every k. Null goes first: a copy that
// asks of each lane whether there is a start becomes a masked load from address 0, whose suppressed fault costs an AVX-512
// processor some 200 cycles.
alignas(64) constexpr float kZeros[32 * kThin] = {};
template <int N>
inline const float* whole_start(const float* start, int64_t columns, float* edge) {
  static_assert(N <= 32 * kThin, "more zeros");
  if (!start) return kZeros;
  if (columns >= N) return start;
  for (int64_t j = 0; j < N; ++j) edge[j] = j < columns ? start[j] : 0.0f;
  return edge;
}
// And where they end.
template <int N>
inline void copy_edge(float* to, const float* edge, int64_t columns) {
  if (columns < N)
    for (int64_t j = 0; j < columns; ++j) to[j] = edge[j];
}

// R rows by V vectors of C. a: element (i, k) at i * lda + k, or at k * kRows + i when packed. start: R rows, or null.
// Not inlined: alone, it keeps its pointers in registers as well.
template <int R, int V, bool PackedA>
__attribute__((noinline)) void tile(int64_t K, const float* a, int64_t lda, const float* b, const float* const* start, float* c, int64_t ldc,
                 int64_t columns) {
  alignas(64) float edge[R][16 * V];
  const float* from[R];
  for (int i = 0; i < R; ++i) from[i] = whole_start<16 * V>(start[i], columns, edge[i]);
  v16 sum[R][V];
#pragma GCC unroll 12
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) sum[i][v] = load(from[i] + 16 * v);
#pragma GCC unroll 2
  for (int64_t k = 0; k < K; ++k) {
    v16 column[V];
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) column[v] = load(b + k * kPanel + 16 * v);
#pragma GCC unroll 12
    for (int i = 0; i < R; ++i) {
      v16 x = set1(PackedA ? a[k * kRows + i] : a[i * lda + k]);
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) sum[i][v] = fma(x, column[v], sum[i][v]);
    }
  }
  bool whole = columns >= 16 * V;
#pragma GCC unroll 12
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) store((whole ? c + i * ldc : edge[i]) + 16 * v, sum[i][v]);
  for (int i = 0; i < R; ++i) copy_edge<16 * V>(c + i * ldc, edge[i], columns);
}

template <int V, bool PackedA>
inline void tile_rows(int rows, int64_t K, const float* a, int64_t lda, const float* b, const float* const* start, float* c,
                      int64_t ldc, int64_t columns) {
  switch (rows) {
    case 1: return tile<1, V, PackedA>(K, a, lda, b, start, c, ldc, columns);
    case 2: return tile<2, V, PackedA>(K, a, lda, b, start, c, ldc, columns);
#if !defined(ELMAN_PORTABLE)
    case 3: return tile<3, V, PackedA>(K, a, lda, b, start, c, ldc, columns);
    case 4: return tile<4, V, PackedA>(K, a, lda, b, start, c, ldc, columns);
    case 5: return tile<5, V, PackedA>(K, a, lda, b, start, c, ldc, columns);
    case 6: return tile<6, V, PackedA>(K, a, lda, b, start, c, ldc, columns);
#endif
#if defined(ELMAN_AVX512)
    case 7: return tile<7, V, PackedA>(K, a, lda, b, start, c, ldc, columns);
    case 8: return tile<8, V, PackedA>(K, a, lda, b, start, c, ldc, columns);
    case 9: return tile<9, V, PackedA>(K, a, lda, b, start, c, ldc, columns);
    case 10: return tile<10, V, PackedA>(K, a, lda, b, start, c, ldc, columns);
    case 11: return tile<11, V, PackedA>(K, a, lda, b, start, c, ldc, columns);
    case 12: return tile<12, V, PackedA>(K, a, lda, b, start, c, ldc, columns);
#endif
  }
}

// `rows` (at most kRows) by `columns` (at most 32) of C.
template <bool PackedA>
inline void tile_panel(int rows, int64_t K, const float* a, int64_t lda, const float* b, const float* const* start, float* c,
                       int64_t ldc, int64_t columns) {
  if (kVectors == 2 && columns > 16) return tile_rows<kVectors, PackedA>(rows, K, a, lda, b, start, c, ldc, columns);
  tile_rows<1, PackedA>(rows, K, a, lda, b, start, c, ldc, columns);
  if (columns <= 16) return;
  const float* next[kRows];
  for (int i = 0; i < rows; ++i) next[i] = start[i] ? start[i] + 16 : nullptr;
  tile_rows<1, PackedA>(rows, K, a, lda, b + 16, next, c + 16, ldc, columns - 16);
}

// R rows by P panels, `depth` rows of B apart: with few rows, panels side by side make enough independent sums to hide the
// latency of one, and the weights come as fast as the memory gives them. `columns`, at most 32 P, are stored.
template <int R, int P>
__attribute__((noinline)) void tile_thin(int64_t K, const float* a, int64_t lda, const float* b, int64_t depth,
                                         const float* const* start, float* c, int64_t ldc, int64_t columns) {
  alignas(64) float edge[R][32 * P];
  const float* from[R];
  for (int i = 0; i < R; ++i) from[i] = whole_start<32 * P>(start[i], columns, edge[i]);
  v16 sum[R][2 * P];
#pragma GCC unroll 2
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 8
    for (int v = 0; v < 2 * P; ++v) sum[i][v] = load(from[i] + 16 * v);
  for (int64_t k = 0; k < K; ++k) {
    v16 x[R];
#pragma GCC unroll 2
    for (int i = 0; i < R; ++i) x[i] = set1(a[i * lda + k]);
#pragma GCC unroll 8
    for (int v = 0; v < 2 * P; ++v) {
      v16 column = load(b + v / 2 * depth * kPanel + k * kPanel + 16 * (v % 2));
#pragma GCC unroll 2
      for (int i = 0; i < R; ++i) sum[i][v] = fma(x[i], column, sum[i][v]);
    }
  }
  bool whole = columns >= 32 * P;
#pragma GCC unroll 2
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 8
    for (int v = 0; v < 2 * P; ++v) store((whole ? c + i * ldc : edge[i]) + 16 * v, sum[i][v]);
  for (int i = 0; i < R; ++i) copy_edge<32 * P>(c + i * ldc, edge[i], columns);
}

// One or two rows by as many panels as are left and fit side by side.
inline void tile_thin_panels(int rows, int64_t K, const float* a, int64_t lda, const float* b, int64_t depth,
                                const float* const* start, float* c, int64_t ldc, int64_t columns) {
  int64_t wide = least(kThin / rows, panels(columns)), done = least(columns, wide * kPanel);
  switch (10 * rows + wide) {
    case 11: tile_thin<1, 1>(K, a, lda, b, depth, start, c, ldc, done); break;
    case 12: tile_thin<1, 2>(K, a, lda, b, depth, start, c, ldc, done); break;
    case 21: tile_thin<2, 1>(K, a, lda, b, depth, start, c, ldc, done); break;
#if defined(ELMAN_AVX512)
    case 13: tile_thin<1, 3>(K, a, lda, b, depth, start, c, ldc, done); break;
    case 14: tile_thin<1, 4>(K, a, lda, b, depth, start, c, ldc, done); break;
    case 22: tile_thin<2, 2>(K, a, lda, b, depth, start, c, ldc, done); break;
#endif
  }
}

// C (M, N) = start + A (M, K) B. `groups` such products, one after the other in A, C and `start`, share a panel of B while
// it is in the cache. C may be where `start` points.
struct Product {
  int64_t M, N, K;
  const float* a;
  int64_t lda;
  const float* b;
  Start start;
  float* c;
  int64_t ldc;
  int64_t groups = 1, a_group = 0, c_group = 0;
  int64_t depth = 0;    // of B's panels, where they have more than these K rows; 0: K
  bool resume = false;  // start from what C holds, instead of `start`
  bool last_first = false;  // the panels of B: where B is used again and again, every second time, as its last are still near
};
inline void multiply(const Product& p) {
  if (p.M == 0) return;
  int64_t depth = p.depth ? p.depth : p.K, n = 0;  // n: the first column of a panel
  auto in_order = [&](int64_t place, int64_t count) { return p.last_first ? count - 1 - place : place; };
  auto start_of = [&](int64_t row, int64_t group, bool resume) -> const float* {
    if (resume) return p.c + group * p.c_group + row * p.ldc + n;
    const float* from = p.start.row(group * p.M + row);
    return from ? from + n : nullptr;
  };
  if (p.M <= 2 && p.groups == 1) {
    const int64_t wide = kThin / p.M * kPanel, count = (p.N + wide - 1) / wide;
    for (int64_t i = 0; i < count; ++i) {
      n = in_order(i, count) * wide;
      const float* start[2] = {start_of(0, 0, p.resume), p.M == 2 ? start_of(1, 0, p.resume) : nullptr};
      tile_thin_panels(int(p.M), p.K, p.a, p.lda, p.b + n * depth, depth, start, p.c + n, p.ldc, p.N - n);
    }
    return;
  }
  // About as many rows in each tile: one of few waits for its sums.
  const int64_t tiles = (p.M + kRows - 1) / kRows, rows_each = p.M / tiles, with_one_more = p.M % tiles;
  for (int64_t place = 0; place < panels(p.N); ++place) {
    n = in_order(place, panels(p.N)) * kPanel;
    int64_t columns = least(kPanel, p.N - n);
    int64_t k = 0;
    do {  // once where K is zero: then C is `start`
      const float* b = p.b + n * depth + k * kPanel;
      for (int64_t g = 0; g < p.groups; ++g) {
        float* c = p.c + g * p.c_group + n;
        for (int64_t t = 0, i = 0, rows = 0; t < tiles; ++t, i += rows) {
          rows = rows_each + (t < with_one_more);
          const float* start[kRows];
          for (int r = 0; r < rows; ++r) start[r] = start_of(i + r, g, k || p.resume);
          tile_panel<false>(int(rows), least(kBlock, p.K - k), p.a + g * p.a_group + i * p.lda + k, p.lda, b, start,
                            c + i * p.ldc, p.ldc, columns);
        }
      }
    } while ((k += kBlock) < p.K);
  }
}

// This thread's part of a product that a team computes: some panels of C.
inline void multiply(Product p, const Team& team) {
  Range range = share(panels(p.N), 1, team.id, team.n);
  int64_t n = range.begin * kPanel;
  p.N = most(0, least(p.N, range.end * kPanel) - n);
  p.b += n * (p.depth ? p.depth : p.K), p.c += n;
  if (p.start.base) p.start.base += n;
  multiply(p);
}
