// Muon: the momentum of a matrix, made nearly orthogonal before it is added. Five Newton-Schulz steps bring every singular
// value near 1:
//
//   X = U / |U|;  five times: A = X X^T, B = b A + c A A, X = a X + B X
//
// A and B are symmetric to the bit, since every element takes the same products in the same order as its mirror image: the
// part below the diagonal is computed, and copied. Products have gemm.h's order, everything else is rounded where it is
// written.
//
// Sources: Jordan et al., "Muon: an optimizer for hidden layers" (2024), the coefficients; Liu et al., "Muon is scalable for
// LLM training" (2025), the factor 0.2 sqrt(larger side), which gives an update the size of one of Adam's.
#pragma once

constexpr float kSchulzA = 3.4445f, kSchulzB = -4.7750f, kSchulzC = 2.0315f;
constexpr int kSchulzSteps = 5;

// Columns of one panel, from the diagonal down, of a symmetric product S = left left^T or left left, and their mirror image.
inline void symmetric_panel(int64_t R, int64_t K, const float* left, const float* packed, int64_t panel, float* to) {
  int64_t first = panel * kPanel, width = least(kPanel, R - first);
  multiply({R - first, width, K, left + first * K, K, packed + first * K, {}, to + first * R + first, R});
}
inline void mirror_panel(int64_t R, int64_t panel, float* s) {
  int64_t first = panel * kPanel, end = least(R, first + kPanel);
  for (int64_t i0 = end; i0 < R; i0 += kPanel)
    for (int64_t j = first; j < end; ++j)
      for (int64_t i = i0; i < least(R, i0 + kPanel); ++i) s[j * R + i] = s[i * R + j];
}

void muon(const Muon& k) {
  int64_t G = k.blocks, size = product(k.rows, k.columns);
  // X is (R, C) with R <= C: the transposed block where that has more rows than columns.
  bool transposed = k.rows > k.columns;
  int64_t R = least(k.rows, k.columns), C = most(k.rows, k.columns);
  if (G == 0 || size == 0) return;
  Region region(product(G, size) > (1 << 14) ? get_threads() : 1);
  Shared x = region.shared(product(G, size)), a = region.shared(product(G, R, R)), b = region.shared(product(G, R, R));
  Shared packed_x = region.shared(product(G, packed_size(C, R))), packed_t = region.shared(product(G, packed_size(R, C)));
  Shared packed_a = region.shared(product(G, packed_size(R, R))), inverse = region.shared(G);
  Each columns_of_y = region.each(product(R, kPanel));
  region.run([&](const Team& team) {
    float *X = team[x], *A = team[a], *B = team[b], *y = team[columns_of_y], *inv = team[inverse];
    int64_t pack_x = packed_size(C, R), pack_t = packed_size(R, C), pack_a = packed_size(R, R);
    // Every thread's turn among units of falling cost: there and back again.
    auto mine = [&](int64_t unit) {
      int64_t turn = unit / team.n, place = unit % team.n;
      return team.id == (turn % 2 ? team.n - 1 - place : place);
    };
    auto each_panel = [&](int64_t N, auto&& body) {
      for (int64_t unit = 0; unit < panels(N) * G; ++unit)
        if (mine(unit)) body(unit % G, unit / G);
    };
    Range rows = share(G * k.rows, 1, team.id, team.n);  // of the weight
    for (int64_t r = rows.begin; r < rows.end; ++r) {
      float *m = k.m + r * k.columns, *to = X + r / k.rows * size;
      const float* g = k.g + r * k.columns;
      int64_t i = r % k.rows;
      for (int64_t j = 0; j < k.columns; j += 16) {
        int64_t n = k.columns - j;
        v16 gradient = mul(load_n(g + j, n), set1(k.scale));
        v16 mean = add(mul(load_n(m + j, n), set1(k.momentum)), gradient);
        v16 ahead = add(gradient, mul(mean, set1(k.momentum)));  // Nesterov's
        store_n(m + j, mean, n);
        if (!transposed) {
          store_n(to + i * C + j, ahead, n);
        } else {
          float lanes[16];
          store(lanes, ahead);
          for (int64_t l = 0; l < least(16, n); ++l) to[(j + l) * C + i] = lanes[l];
        }
      }
    }
    team.barrier();
    for (int64_t g = team.id; g < G; g += team.n) {
      const float* u = X + g * size;
      double lanes[16] = {};
      int64_t j = 0;
      for (; j + 16 <= size; j += 16)
        for (int l = 0; l < 16; ++l) lanes[l] += double(u[j + l]) * double(u[j + l]);
      for (; j < size; ++j) lanes[j % 16] += double(u[j]) * double(u[j]);
      for (int half = 8; half; half /= 2)
        for (int l = 0; l < half; ++l) lanes[l] += lanes[l + half];
      inv[g] = float(1.0 / (__builtin_sqrt(lanes[0]) + 1e-7));
    }
    team.barrier();
    Range of_x = share(G * R, 1, team.id, team.n);
    for (int64_t r = of_x.begin; r < of_x.end; ++r)
      for (int64_t j = 0; j < C; j += 16)
        store_n(X + r * C + j, mul(load_n(X + r * C + j, C - j), set1(inv[r / R])), C - j);
    for (int step = 0; step < kSchulzSteps; ++step) {
      team.barrier();
      each_panel(C, [&](int64_t g, int64_t p) {
        pack_plain(X + g * size, C, R, team[packed_x] + g * pack_x, {p, p + 1});
      });
      each_panel(R, [&](int64_t g, int64_t p) {
        pack_transposed(X + g * size, R, C, C, team[packed_t] + g * pack_t, {p, p + 1});
      });
      team.barrier();
      each_panel(R, [&](int64_t g, int64_t p) {
        float* of_block = A + g * R * R;
        symmetric_panel(R, C, X + g * size, team[packed_t] + g * pack_t, p, of_block);
        mirror_panel(R, p, of_block);
      });
      team.barrier();
      each_panel(R, [&](int64_t g, int64_t p) {
        pack_plain(A + g * R * R, R, R, team[packed_a] + g * pack_a, {p, p + 1});
      });
      team.barrier();
      each_panel(R, [&](int64_t g, int64_t p) {
        float *square = B + g * R * R, *of_block = A + g * R * R;
        symmetric_panel(R, R, of_block, team[packed_a] + g * pack_a, p, square);
        int64_t first = p * kPanel, width = least(kPanel, R - first);
        for (int64_t i = first; i < R; ++i)
          for (int64_t j = 0; j < width; j += 16) {
            int64_t at = i * R + first + j, n = width - j;
            store_n(square + at, add(mul(load_n(of_block + at, n), set1(kSchulzB)), mul(load_n(square + at, n), set1(kSchulzC))), n);
          }
        mirror_panel(R, p, square);
      });
      team.barrier();
      each_panel(C, [&](int64_t g, int64_t p) {
        int64_t first = p * kPanel, width = least(kPanel, C - first);
        multiply({R, width, R, B + g * R * R, R, team[packed_x] + g * pack_x + first * R, {}, y, kPanel});
        for (int64_t i = 0; i < R; ++i)
          for (int64_t j = 0; j < width; j += 16) {
            float* to = X + g * size + i * C + first + j;
            store_n(to, add(mul(load_n(to, width - j), set1(kSchulzA)), load_n(y + i * kPanel + j, width - j)), width - j);
          }
      });
    }
    team.barrier();
    for (int64_t r = rows.begin; r < rows.end; ++r) {
      float* w = k.w + r * k.columns;
      const float* from = X + r / k.rows * size;
      int64_t i = r % k.rows;
      for (int64_t j = 0; j < k.columns; j += 16) {
        int64_t n = k.columns - j;
        float lanes[16] = {};
        if (transposed)
          for (int64_t l = 0; l < least(16, n); ++l) lanes[l] = from[(j + l) * C + i];
        v16 direction = transposed ? load(lanes) : load_n(from + i * C + j, n);
        store_n(w + j, sub(mul(load_n(w + j, n), set1(k.decay)), mul(direction, set1(k.step_size))), n);
      }
    }
  });
}
