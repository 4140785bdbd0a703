// Sums of products of a panel's 32 columns. Integer addition is associative: terms may be split, and blocks taken in any
// order, where a float kernel may not.
#pragma once

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
#else
  static constexpr int rows = 2, vectors = 1, split = 1;
#endif
};
constexpr int kRows = Eight::rows;
constexpr int64_t kHalf = kUnits / 2;
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

template <bool second, class A, class B>
inline auto& choose_sums(A& a, B& b) {
  if constexpr (second) return b;
  else return a;
}

// The same of weights of 4 bits: R rows by V vectors of bytes, and as many columns sixteen further on. The sums of x (q + 8)
// are `less` (R) too large.
template <int R, int V, int S>
__attribute__((noinline)) void tile4(int64_t K, const Four::Operand* x, int64_t ldx, const int8_t* w, const int32_t* start,
                                     const int32_t* less, int32_t* c, int64_t ldc) {
  constexpr int group = Four::group, stride = kHalf * group;
  Sum sum[R][2 * V][S];
#pragma GCC unroll 12
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 8
    for (int v = 0; v < 2 * V; ++v)
#pragma GCC unroll 4
      for (int s = 0; s < S; ++s) sum[i][v][s] = zero();
  for (int64_t k = 0; k < K; k += kUnits) {
    Four::Partial part[Four::widens ? R : 1][2 * V][S];
#pragma GCC unroll 12
    for (int i = 0; i < R && Four::widens; ++i)
#pragma GCC unroll 8
      for (int v = 0; v < 2 * V; ++v)
#pragma GCC unroll 4
        for (int s = 0; s < S; ++s) part[i][v][s] = Four::none();
    auto& to = choose_sums<Four::widens>(sum, part);
#pragma GCC unroll 16
    for (int g = 0; g < kUnits / group; ++g, w += stride) {
      Weight low[V], high[V];
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) {
        Four::load(w + v * kColumns * group, low[v], high[v]);
      }
#pragma GCC unroll 12
      for (int i = 0; i < R; ++i) {
        Input input = broadcast(x + i * ldx + k + g * group);
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) {
          to[i][v][g % S] = Four::dot(to[i][v][g % S], low[v], input);
          to[i][V + v][g % S] = Four::dot(to[i][V + v][g % S], high[v], input);
        }
      }
    }
#pragma GCC unroll 12
    for (int i = 0; i < R && Four::widens; ++i)
#pragma GCC unroll 8
      for (int v = 0; v < 2 * V; ++v)
#pragma GCC unroll 4
        for (int s = 0; s < S; ++s) sum[i][v][s] = Four::widen(sum[i][v][s], part[i][v][s]);
  }
#pragma GCC unroll 12
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) {
      Sum low = sum[i][v][0], high = sum[i][V + v][0];
#pragma GCC unroll 4
      for (int s = 1; s < S; ++s) low = add_sums(low, sum[i][v][s]), high = add_sums(high, sum[i][V + v][s]);
      Four::end(low, high, less[i]);
      int64_t first = v * kColumns, second = first + kHalf;
      if (start) low = add_sums(low, load_sum(start + first)), high = add_sums(high, load_sum(start + second));
      store_sum(c + i * ldc + first, low), store_sum(c + i * ldc + second, high);
    }
}

// What one of `tile` or `tile4` is given, but for its size; operands x and weights w of the format F.
template <class F>
struct Tile {
  int64_t K;
  const typename F::Operand* x;
  int64_t ldx;
  const int8_t* w;
  const int32_t *start, *less;     // less: null but for weights of 4 bits
  int32_t* c;
  int64_t ldc;
  template <int R, int V, int S>
  void run() const {
    if constexpr (F::bits == 4) tile4<R, V, S>(K, x, ldx, w, start, less, c, ldc);
    else tile<R, V, S>(K, x, ldx, w, start, c, ldc);
  }
};

template <int R, class F>
inline void tile_rows(int rows, const Tile<F>& t) {
  if constexpr (R > 0) {
    if (rows == R) return t.template run<R, F::vectors, 1>();
    tile_rows<R - 1>(rows, t);
  }
}

// c (rows, 32 at ldc) = x (rows, K) times a panel, of which `columns` are wanted.
template <class F>
inline void panel(int64_t rows, const Tile<F>& t, int64_t columns = kUnits) {
  constexpr int vectors = kPanelVectors * F::bits / 8;
  if (rows == 1) return t.template run<1, vectors, F::split>();
  for (int64_t i = 0; i < rows; i += F::rows)
    for (int v = 0; v < vectors && v * kColumns < columns; v += F::vectors)
      tile_rows<F::rows>(int(least(F::rows, rows - i)),
                         Tile<F>{t.K, t.x + i * t.ldx, t.ldx, t.w + v * kColumns * F::group,
                                 t.start ? t.start + v * kColumns : nullptr, t.less ? t.less + i : nullptr,
                                 t.c + i * t.ldc + v * kColumns, t.ldc});
}

// q (N, K) in panels: by blocks of units, N = G H, where H > 0; else as the rows come (G = N). Weights beyond are zero.
template <class F>
inline void pack_panels(const int8_t* q, int64_t G, int64_t H, int64_t K, int8_t* packed, int32_t* start) {
  constexpr int64_t group = F::group, wide = kUnits * F::bits / 8;
  int64_t gates = H ? G : 1, units = H ? H : G, depth = padded(K);
  for (int64_t u = 0; u < blocks_of(units); ++u)
    for (int64_t g = 0; g < gates; ++g, packed += wide * depth, start += start ? kUnits : 0) {
      if (start) memset(start, 0, sizeof(int32_t) * kUnits);
      for (int64_t j = 0; j < kUnits; ++j) {
        const int8_t* row = u * kUnits + j < units ? q + (g * units + u * kUnits + j) * K : nullptr;
        int32_t total = 0;
        for (int64_t k = 0; k < depth; ++k) {
          int weight = row && k < K ? row[k] : 0;
          int8_t& at = packed[k / group * wide * group + place(group, j % wide, k % group)];
          if (F::bits == 8) at = int8_t(weight);
          else if (j < wide) at = int8_t(weight + 8);
          else at = int8_t(at + 16 * (weight + F::high));
          total += weight;
        }
        if (start) start[j] = -F::offset * total;
      }
    }
}
void pack(int bits, const int8_t* q, int64_t G, int64_t H, int64_t K, int8_t* packed, int32_t* start) {
  return bits == 4 ? pack_panels<Four>(q, G, H, K, packed, start) : pack_panels<Eight>(q, G, H, K, packed, start);
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
