// Matrix products in exact order: every output element has one accumulator, which starts from a given value and takes its
// terms for k = 0, 1, 2, ... by one fused multiply-add each. Blocks and tiles divide rows and columns, or store and
// reload the accumulator between two k; neither changes a bit.
//
// B is packed: panels of 32 columns, panel p at p * 32 * K, its element (k, j) at k * 32 + j, zero beyond column N.
#pragma once

#if defined(ELMAN_AVX512)
constexpr int kRows = 8, kVectors = 2;  // 16 accumulators of 32 registers: 16 FMAs for 10 loads
constexpr int kThin = 4;                // panels side by side for one row: 8 accumulators
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
constexpr int64_t kPanel = 32;
constexpr int64_t kBlock = 256;  // k: a block of one panel is 32 KiB, and stays in the first-level cache

inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t most(int64_t a, int64_t b) { return a < b ? b : a; }
inline int64_t panels(int64_t N) { return (N + kPanel - 1) / kPanel; }

// Part `id` of `n` of 0 .. count-1 in units.
struct Range {
  int64_t begin, end;
};
inline Range share(int64_t count, int64_t unit, int id, int n) {
  int64_t units = (count + unit - 1) / unit;
  return {least(count, units * id / n * unit), least(count, units * (id + 1) / n * unit)};
}
inline int64_t largest_share(int64_t count, int64_t unit, int n) {
  int64_t units = (count + unit - 1) / unit;
  return least(count, (units + n - 1) / n * unit);
}

// Where the accumulators of row i start: zero; or base + i * stride; or base + index[i] * stride.
struct Start {
  const float* base = nullptr;
  int64_t stride = 0;  // 0: every row from the same vector, a bias
  const int64_t* index = nullptr;
  const float* row(int64_t i) const { return base ? base + (index ? index[i] : i) * stride : nullptr; }
};

// R rows by V vectors of C. a: element (i, k) at i * lda + k, or at k * kRows + i when packed. start: R rows, or null.
// Not inlined: alone, it keeps its pointers in registers as well.
template <int R, int V, bool PackedA>
__attribute__((noinline)) void tile(int64_t K, const float* a, int64_t lda, const float* b, const float* const* start, float* c, int64_t ldc,
                 int64_t columns) {
  v16 sum[R][V];
  bool whole = columns >= 16 * V;
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v)
      sum[i][v] = !start[i] ? set1(0.0f)
                  : whole   ? load(start[i] + 16 * v)
                            : load_n(start[i] + 16 * v, columns - 16 * v);
#pragma GCC unroll 2
  for (int64_t k = 0; k < K; ++k) {
    v16 column[V];
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) column[v] = load(b + k * kPanel + 16 * v);
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
      v16 x = set1(PackedA ? a[k * kRows + i] : a[i * lda + k]);
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) sum[i][v] = fma(x, column[v], sum[i][v]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) {
      if (whole) store(c + i * ldc + 16 * v, sum[i][v]);
      else store_n(c + i * ldc + 16 * v, sum[i][v], columns - 16 * v);
    }
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
  v16 sum[R][2 * P];
#pragma GCC unroll 2
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 8
    for (int v = 0; v < 2 * P; ++v)
      sum[i][v] = start[i] && columns > 16 * v ? load_n(start[i] + 16 * v, columns - 16 * v) : set1(0.0f);
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
#pragma GCC unroll 2
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 8
    for (int v = 0; v < 2 * P; ++v)
      if (columns > 16 * v) store_n(c + i * ldc + 16 * v, sum[i][v], columns - 16 * v);
}

// One or two rows by as many panels as are left and fit side by side; returns the columns done.
inline int64_t tile_thin_panels(int rows, int64_t K, const float* a, int64_t lda, const float* b, int64_t depth,
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
  return done;
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
};
inline void multiply(const Product& p) {
  if (p.M == 0) return;
  int64_t depth = p.depth ? p.depth : p.K, n = 0;  // n: the first column of a panel
  auto start_of = [&](int64_t row, int64_t group, bool resume) -> const float* {
    if (resume) return p.c + group * p.c_group + row * p.ldc + n;
    const float* from = p.start.row(group * p.M + row);
    return from ? from + n : nullptr;
  };
  if (p.M <= 2 && p.groups == 1) {
    while (n < p.N) {
      const float* start[2] = {start_of(0, 0, p.resume), p.M == 2 ? start_of(1, 0, p.resume) : nullptr};
      n += tile_thin_panels(int(p.M), p.K, p.a, p.lda, p.b + n * depth, depth, start, p.c + n, p.ldc, p.N - n);
    }
    return;
  }
  for (; n < p.N; n += kPanel) {
    int64_t columns = least(kPanel, p.N - n);
    int64_t k = 0;
    do {  // once where K is zero: then C is `start`
      const float* b = p.b + n * depth + k * kPanel;
      for (int64_t g = 0; g < p.groups; ++g) {
        float* c = p.c + g * p.c_group + n;
        for (int64_t i = 0; i < p.M; i += kRows) {
          int rows = int(least(kRows, p.M - i));
          const float* start[kRows];
          for (int r = 0; r < rows; ++r) start[r] = start_of(i + r, g, k || p.resume);
          tile_panel<false>(rows, least(kBlock, p.K - k), p.a + g * p.a_group + i * p.lda + k, p.lda, b, start,
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

// Panels first .. last-1 of B = W transposed: W is (N, K) with rows `ld` apart.
inline void pack_transposed(const float* w, int64_t N, int64_t K, int64_t ld, float* packed, Range range) {
  for (int64_t panel = range.begin; panel < range.end; ++panel) {
    float* to = packed + panel * kPanel * K;
    int64_t columns = least(kPanel, N - panel * kPanel);
    const float* from = w + panel * kPanel * ld;
    int64_t k = 0;
    for (; k + 8 <= K; k += 8)  // eight floats of a row at a time: reads whole cache lines in pieces
      for (int64_t j = 0; j < kPanel; ++j)
        for (int64_t s = 0; s < 8; ++s) to[(k + s) * kPanel + j] = j < columns ? from[j * ld + k + s] : 0.0f;
    for (; k < K; ++k)
      for (int64_t j = 0; j < kPanel; ++j) to[k * kPanel + j] = j < columns ? from[j * ld + k] : 0.0f;
  }
}

// Panels of B = W as it is: W is (K, N).
inline void pack_plain(const float* w, int64_t N, int64_t K, float* packed, Range range) {
  for (int64_t panel = range.begin; panel < range.end; ++panel) {
    float* to = packed + panel * kPanel * K;
    int64_t columns = least(kPanel, N - panel * kPanel);
    for (int64_t k = 0; k < K; ++k) {
      const float* from = w + k * N + panel * kPanel;
      store(to + k * kPanel, load_n(from, columns));
      store(to + k * kPanel + 16, columns > 16 ? load_n(from + 16, columns - 16) : set1(0.0f));
    }
  }
}

// The rows of a (T, B, ld) buffer in the order in which weight gradients sum: t decreasing, then b increasing. With
// `before`, row (t, b) is that of the step before it, and before the first comes `before` (B, ld).
struct Rows {
  const float* x;
  int64_t ld, T, B;
  const float* before = nullptr;
  const float* row(int64_t r) const {
    int64_t t = T - 1 - r / B, b = r % B;
    if (!before) return x + (t * B + b) * ld;
    return t ? x + ((t - 1) * B + b) * ld : before + b * ld;
  }
};

constexpr int64_t kTiles = 256 / kRows;             // of A in one packed block of an outer product: 256 KiB
constexpr int64_t kTileSize = kRows * kBlock + 16;  // a cache line more, so that tiles do not share its sets

inline int64_t tiles_of(int64_t M) { return (M + kRows - 1) / kRows; }

// An outer product (M, N) is divided by columns, or else by rows: whichever leaves the busiest thread less.
inline bool outer_by_columns(int64_t M, int64_t N, int n) {
  return product((panels(N) + n - 1) / n, tiles_of(M)) <= product(panels(N), (tiles_of(M) + n - 1) / n);
}

// Where each thread packs its operands of the outer products of a region, one product after the other.
class Packing {
 public:
  void fit(int64_t M, int64_t N, int n) {
    a_ = most(a_, least(kTiles, tiles_of(M)) * kTileSize);
    b_ = most(b_, product(outer_by_columns(M, N, n) ? (panels(N) + n - 1) / n : panels(N), kPanel, kBlock));
  }
  void reserve(Region& region) { a = region.each(a_), b = region.each(b_); }
  Each a{}, b{};

 private:
  int64_t a_ = 0, b_ = 0;  // floats
};

// C (M, N) = sum over rows r of a.row(r)[m] * b.row(r)[n], added to what is there if `accumulate`: a weight gradient.
// Every thread of the team calls it and computes its share of C.
inline void outer(const Team& team, const Packing& packing, int64_t M, int64_t N, Rows a, Rows b, float* c, int64_t ldc,
                  bool accumulate) {
  int64_t total = a.T * a.B;
  Range columns{0, panels(N)}, tiles{0, tiles_of(M)};
  if (outer_by_columns(M, N, team.n)) columns = share(panels(N), 1, team.id, team.n);
  else tiles = share(tiles_of(M), 1, team.id, team.n);
  if (columns.begin == columns.end || tiles.begin == tiles.end) return;
  float *packed_a = team[packing.a], *packed_b = team[packing.b];
  if (total == 0 && !accumulate)
    for (int64_t m = tiles.begin * kRows; m < least(M, tiles.end * kRows); ++m)
      for (int64_t n = columns.begin * kPanel; n < least(N, columns.end * kPanel); ++n) c[m * ldc + n] = 0.0f;
  for (int64_t k0 = 0; k0 < total; k0 += kBlock) {
    int64_t depth = least(kBlock, total - k0);
    for (int64_t k = 0; k < depth; ++k) {
      const float* from = b.row(k0 + k);
      for (int64_t p = columns.begin; p < columns.end; ++p) {
        float* to = packed_b + (p - columns.begin) * kPanel * depth + k * kPanel;
        int64_t width = least(kPanel, N - p * kPanel);
        store(to, load_n(from + p * kPanel, width));
        store(to + 16, width > 16 ? load_n(from + p * kPanel + 16, width - 16) : set1(0.0f));
      }
    }
    for (int64_t t0 = tiles.begin; t0 < tiles.end; t0 += kTiles) {
      int64_t t1 = least(tiles.end, t0 + kTiles), full = least(t1, M / kRows);
      for (int64_t k = 0; k < depth; ++k) {
        const float* from = a.row(k0 + k);
        float* to = packed_a + k * kRows;
        for (int64_t t = t0; t < full; ++t) __builtin_memcpy(to + (t - t0) * kTileSize, from + t * kRows, 4 * kRows);
        if (full < t1)
          for (int64_t i = 0; i < kRows; ++i)
            to[(full - t0) * kTileSize + i] = full * kRows + i < M ? from[full * kRows + i] : 0.0f;
      }
      for (int64_t p = columns.begin; p < columns.end; ++p)
        for (int64_t t = t0; t < t1; ++t) {
          int rows = int(least(kRows, M - t * kRows));
          float* to = c + t * kRows * ldc + p * kPanel;
          const float* start[kRows];
          for (int i = 0; i < rows; ++i) start[i] = k0 || accumulate ? to + i * ldc : nullptr;
          tile_panel<true>(rows, depth, packed_a + (t - t0) * kTileSize, 0, packed_b + (p - columns.begin) * kPanel * depth,
                           start, to, ldc, least(kPanel, N - p * kPanel));
        }
    }
  }
}
