// Matrices in panels of 32 columns, and rows multiplied by them.
#pragma once

constexpr int kPanelVectors = int(kUnits) / kColumns;

// Arguments of a tile (eight.h, nibbles.h), except its size; operands x and weights w of the format F.
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
    F::template tile<R, V, S>(K, x, ldx, w, start, less, c, ldc);
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
