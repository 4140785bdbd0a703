// The gradients of weights: sums over steps and rows of outer products, in tiles of both operands packed.
#pragma once

constexpr int64_t kTiles = 256 / kRows;             // of A in one packed block of an outer product: 256 KiB
constexpr int64_t kTileSize = kRows * kBlock + 16;  // a cache line more, so tiles do not share its sets

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
