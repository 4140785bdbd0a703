// What is different between cells: a step and a step backward, pointwise, behind the products that all have in common.
#pragma once

// One step of `rows` rows: its products, each thread of a team a part of their columns; and, when all of those are there,
// its pointwise part. start: the pre-activations from the input, bias included, (rows, GH).
struct Step {
  int cell;
  int64_t rows, H;
  const float* packed;             // pack_hh
  const float* b_hn;               // (H) the GRU's b_hh of n, or null
  Start start;
  const float* h;                  // (rows, H) before
  const float* c;                  // (rows, H) before, LSTM
  float* out;                      // (rows, H) after; may be h
  float* c_out;                    // (rows, H) after, LSTM; may be c
  float* gates;                    // (rows, saved * H): activations; left as Forward::gates says. RNN: (rows, H), may be out
  bool last_first = false;         // as in Product: of every second step
};

// body(j, n) for the vectors of columns j .., of which n lanes lie before H. Whole ones come with a constant n, so
// nothing is asked about it, and what they compute stays in registers.
template <class F>
inline void by_vectors(Range columns, int64_t H, F&& body) {
  int64_t j = columns.begin;
  for (; j < columns.end && j + 16 <= H; j += 16) body(j, int64_t(16));
  if (j < columns.end) body(j, H - j);
}

inline void rnn_pointwise(const Step& s, Range columns) {
  for (int64_t r = 0; r < s.rows; ++r)
    by_vectors(columns, s.H, [&](int64_t j, int64_t n) ELMAN_INLINE {
      v16 x = load_n(s.gates + r * s.H + j, n);
      x = s.cell == RNN_RELU ? select(lt(x, set1(0.0f)), set1(0.0f), x) : tanh(x);  // a NaN stays one
      store_n(s.out + r * s.H + j, x, n);
    });
}

inline void gru_pointwise(const Step& s, Range columns) {
  int64_t H = s.H;
  for (int64_t row = 0; row < s.rows; ++row) {
    float* gates = s.gates + row * 4 * H;
    const float* from_x = s.start.row(row) + 2 * H;
    by_vectors(columns, H, [&](int64_t j, int64_t n) ELMAN_INLINE {
      v16 r = sigmoid(load_n(gates + j, n)), z = sigmoid(load_n(gates + H + j, n));
      v16 candidate = tanh(fma(r, load_n(gates + 3 * H + j, n), load_n(from_x + j, n)));
      store_n(gates + j, r, n);
      store_n(gates + H + j, z, n);
      store_n(gates + 2 * H + j, candidate, n);
      store_n(s.out + row * H + j, fma(z, sub(load_n(s.h + row * H + j, n), candidate), candidate), n);
    });
  }
}

inline void lstm_pointwise(const Step& s, Range columns) {
  int64_t H = s.H;
  for (int64_t row = 0; row < s.rows; ++row) {
    float* gates = s.gates + row * 4 * H;
    by_vectors(columns, H, [&](int64_t j, int64_t n) ELMAN_INLINE {
      v16 i = sigmoid(load_n(gates + j, n)), f = sigmoid(load_n(gates + H + j, n));
      v16 g = tanh(load_n(gates + 2 * H + j, n)), o = sigmoid(load_n(gates + 3 * H + j, n));
      v16 c = fma(f, load_n(s.c + row * H + j, n), mul(i, g));
      store_n(gates + j, i, n);
      store_n(gates + H + j, f, n);
      store_n(gates + 2 * H + j, g, n);
      store_n(gates + 3 * H + j, o, n);
      store_n(s.c_out + row * H + j, c, n);
      store_n(s.out + row * H + j, mul(o, tanh(c)), n);
    });
  }
}

inline void step_pointwise(const Step& s, Range columns) {
  switch (s.cell) {
    case GRU: return gru_pointwise(s, columns);
    case LSTM: return lstm_pointwise(s, columns);
    default: return rnn_pointwise(s, columns);
  }
}

// One row of one step backward: from dh (H), the gradient of h, to d, the gradients of the pre-activations; for the LSTM
// also dc (H), the gradient of c, in and out. d has GH floats; for the GRU 4H: r, z, n behind the reset gate, n.
// On return dh holds the part of the gradient of the h before that does not go through W_hh.
inline void rnn_backward(int cell, int64_t H, const float* h, float* dh, float* d) {
  by_vectors({0, H}, H, [&](int64_t j, int64_t n) ELMAN_INLINE {
    v16 y = load_n(h + j, n), g = load_n(dh + j, n), zero = set1(0.0f);
    g = cell == RNN_RELU ? select(lt(zero, y), g, zero) : mul(g, fnma(y, y, set1(1.0f)));
    store_n(d + j, g, n);
    store_n(dh + j, zero, n);
  });
}

inline void gru_backward(int64_t H, const float* h, const float* gates, float* dh, float* d) {
  v16 one = set1(1.0f);
  by_vectors({0, H}, H, [&](int64_t j, int64_t n) ELMAN_INLINE {
    v16 r = load_n(gates + j, n), z = load_n(gates + H + j, n), candidate = load_n(gates + 2 * H + j, n);
    v16 g = load_n(dh + j, n);
    v16 dz = mul(mul(g, sub(load_n(h + j, n), candidate)), mul(z, sub(one, z)));
    v16 dn = mul(mul(g, sub(one, z)), fnma(candidate, candidate, one));
    v16 dr = mul(mul(dn, load_n(gates + 3 * H + j, n)), mul(r, sub(one, r)));
    store_n(d + j, dr, n);
    store_n(d + H + j, dz, n);
    store_n(d + 2 * H + j, mul(dn, r), n);
    store_n(d + 3 * H + j, dn, n);
    store_n(dh + j, mul(g, z), n);
  });
}

inline void lstm_backward(int64_t H, const float* c, const float* c_before, const float* gates, float* dh, float* dc,
                          float* d) {
  v16 one = set1(1.0f);
  by_vectors({0, H}, H, [&](int64_t j, int64_t n) ELMAN_INLINE {
    v16 i = load_n(gates + j, n), f = load_n(gates + H + j, n);
    v16 g = load_n(gates + 2 * H + j, n), o = load_n(gates + 3 * H + j, n);
    v16 squashed = tanh(load_n(c + j, n)), gh = load_n(dh + j, n);
    v16 gc = fma(mul(gh, o), fnma(squashed, squashed, one), load_n(dc + j, n));
    store_n(d + j, mul(mul(gc, g), mul(i, sub(one, i))), n);
    store_n(d + H + j, mul(mul(gc, load_n(c_before + j, n)), mul(f, sub(one, f))), n);
    store_n(d + 2 * H + j, mul(mul(gc, i), fnma(g, g, one)), n);
    store_n(d + 3 * H + j, mul(mul(gh, squashed), mul(o, sub(one, o))), n);
    store_n(dc + j, mul(gc, f), n);
    store_n(dh + j, set1(0.0f), n);
  });
}
