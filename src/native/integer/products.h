// Sums of products of a panel's 32 columns. Integer addition is associative: terms may be split, and blocks taken in any
// order, where a float kernel may not.
#pragma once

// Rows and vectors of a tile, and how many sums a lone row keeps of each column, so that their latency is hidden.
#if defined(ELMAN_AVX512VNNI)
constexpr int kRows = 12, kVectors = 2, kSplit = 4;
#elif defined(ELMAN_AVXVNNI)
constexpr int kRows = 6, kVectors = 2, kSplit = 2;
#elif defined(ELMAN_AVX2)
constexpr int kRows = 6, kVectors = 2, kSplit = 1;  // an addition's latency is one
#elif defined(ELMAN_NEONDOT)
constexpr int kRows = 4, kVectors = 4, kSplit = 2;
#elif defined(ELMAN_NEON)
constexpr int kRows = 4, kVectors = 2, kSplit = 1;
#else
constexpr int kRows = 2, kVectors = 1, kSplit = 1;
#endif
constexpr int64_t kStride = kUnits * kGroup;  // bytes of a group of terms in a panel
constexpr int kPanelVectors = int(kUnits) / kColumns;

inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t most(int64_t a, int64_t b) { return a < b ? b : a; }

// Part `id` of `n` of 0 .. count-1 in units.
struct Range {
  int64_t begin, end;
};
inline Range share(int64_t count, int64_t unit, int id, int n) {
  int64_t units = (count + unit - 1) / unit;
  return {least(count, units * id / n * unit), least(count, units * (id + 1) / n * unit)};
}

// R rows by V vectors, S sums of each. x: operands of row i at i * ldx; K: a multiple of 32. start: of all columns, or null.
template <int R, int V, int S>
__attribute__((noinline)) void tile(int64_t K, const Operand* x, int64_t ldx, const int8_t* w, const int32_t* start,
                                    int32_t* c, int64_t ldc) {
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

template <int R>
inline void tile_rows(int rows, int64_t K, const Operand* x, int64_t ldx, const int8_t* w, const int32_t* start, int32_t* c,
                      int64_t ldc) {
  if constexpr (R > 0) {
    if (rows == R) return tile<R, kVectors, 1>(K, x, ldx, w, start, c, ldc);
    tile_rows<R - 1>(rows, K, x, ldx, w, start, c, ldc);
  }
}

// c (rows, 32 at ldc) = x (rows, K) times a panel, of which `columns` are wanted.
inline void panel(int64_t rows, int64_t K, const Operand* x, int64_t ldx, const int8_t* w, const int32_t* start, int32_t* c,
                  int64_t ldc, int64_t columns = kUnits) {
  if (rows == 1) return tile<1, kPanelVectors, kSplit>(K, x, ldx, w, start, c, ldc);
  for (int64_t i = 0; i < rows; i += kRows)
    for (int v = 0; v * kColumns < columns; v += kVectors)
      tile_rows<kRows>(int(least(kRows, rows - i)), K, x + i * ldx, ldx, w + v * kColumns * kGroup,
                       start ? start + v * kColumns : nullptr, c + i * ldc + v * kColumns, ldc);
}

// q (N, K) in panels: by blocks of units, N = G H, where H > 0; else as the rows come (G = N). Bytes beyond are zero.
void pack(const int8_t* q, int64_t G, int64_t H, int64_t K, int8_t* packed, int32_t* start) {
  int64_t gates = H ? G : 1, units = H ? H : G, depth = padded(K);
  for (int64_t u = 0; u < blocks_of(units); ++u)
    for (int64_t g = 0; g < gates; ++g, packed += kUnits * depth, start += start ? kUnits : 0) {
      memset(packed, 0, size_t(kUnits * depth));
      if (start) memset(start, 0, sizeof(int32_t) * kUnits);
      for (int64_t j = 0; j < least(kUnits, units - u * kUnits); ++j) {
        const int8_t* row = q + (g * units + u * kUnits + j) * K;
        int32_t total = 0;
        for (int64_t k = 0; k < K; ++k) {
          packed[k / kGroup * kStride + place(j, k % kGroup)] = row[k];
          total += row[k];
        }
        if (start) start[j] = -kOffset * total;
      }
    }
}

// Products of int8 in registers, to compare with: `rounds` of eight.
__attribute__((noinline)) void multiply_in_registers(int64_t rounds, const int8_t* w, const Operand* x, int32_t* sums) {
  Weight weight = load_weights(w);
  Input input = broadcast(x);
  Sum sum[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) sum[i] = zero();
  for (int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      opaque(input);
      sum[i] = dot(sum[i], weight, input);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) store_sum(sums + i * kColumns, sum[i]);
}

int64_t peak(int64_t rounds) {
  int64_t threads = 1;
  parallel(get_threads(), [&](const Team& team) {
    alignas(64) int8_t w[128] = {1, 2, 3};
    alignas(64) Operand x[64] = {1, 2, 3};
    alignas(64) int32_t sums[8 * kColumns];
    multiply_in_registers(rounds, w, x, sums);
    if (team.id == 0) threads = team.n;
  });
  return rounds * 8 * kColumns * kGroup * threads;
}
