// How a matrix lies when it is multiplied: B is packed in panels of 32 columns, panel p at
// p * 32 * K, its element (k, j) at k * 32 + j, zero beyond column N.
#pragma once

constexpr int64_t kPanel = 32;

inline int64_t panels(int64_t N) { return (N + kPanel - 1) / kPanel; }

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

// Panels of B = W, unchanged: W is (K, N).
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
// `before`, row (t, b) is the one of the step before it, and before the first comes `before` (B, ld).
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
