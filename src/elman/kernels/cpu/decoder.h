// Generation: a model packed once, then stepped; and the loop over characters for greedy decoding and plain sampling. It
// runs the same steps as `forward`, so the same bits come out.
#pragma once

void decoder_pack(int cell, int64_t I, int64_t H, bool first, const float* w_ih, const float* w_hh, const float* b_ih,
                  const float* b_hh, float* packed_hh, float* input, float* bias) {
  int64_t N = gates_of(cell) * H;
  pack_hh(cell, H, w_hh, packed_hh, 0, 1);
  if (first) return build_table(cell, I, H, w_ih, b_ih, b_hh, nullptr, I, input, {0, N});
  pack_transposed(w_ih, N, I, I, input, {0, panels(N)});
  for (int64_t j = 0; j < N; ++j) bias[j] = start_bias(cell, H, b_ih, b_hh, j);
}

void decoder_pack_output(int64_t V, int64_t H, const float* w, float* packed) {
  pack_transposed(w, V, H, H, packed, {0, panels(V)});
}

// One step of rows b0 .. b0+rows-1 through all layers, to their logits where they are wanted.
inline void decoder_rows(const Decoder& d, const int64_t* ids, int64_t b0, int64_t rows, bool want_logits) {
  int64_t H = d.H, N = gates_of(d.cell) * H;
  float* next = scratch(CARRY, rows * H);
  float* gates = saved_of(d.cell) ? scratch(ROWS, rows * 4 * H) : nullptr;
  float* pre = d.L > 1 ? scratch(PRE, rows * N) : nullptr;
  for (int64_t l = 0; l < d.L; ++l) {
    const DecoderLayer& layer = d.layers[l];
    float* h = d.h + (l * d.B + b0) * H;
    float* c = d.cell == LSTM ? d.c + (l * d.B + b0) * H : nullptr;
    Start start{layer.input, N, ids + b0};
    if (l) {
      multiply({rows, N, H, d.h + ((l - 1) * d.B + b0) * H, H, layer.input, {layer.bias, 0}, pre, N});
      start = {pre, N};
    }
    step({d.cell, rows, H, layer.packed_hh, layer.b_hn, start, h, c, next, c, gates});
    copy_floats(h, next, rows * H);
  }
  if (want_logits)
    multiply({rows, d.V, H, d.h + ((d.L - 1) * d.B + b0) * H, H, d.w_out, {d.b_out, 0}, d.logits + b0 * d.V, d.V});
}

inline void decoder_step(const Decoder& d, const int64_t* ids, bool want_logits) {
  parallel(d.B >= 8 ? row_threads(d.B) : 1, [&](const Team& team) {
    Range mine = share(d.B, row_unit(d.B), team.id, team.n);
    if (mine.begin < mine.end) decoder_rows(d, ids, mine.begin, mine.end - mine.begin, want_logits);
  });
}

// Read ids (T, B); the logits are those after the last.
void decoder_read(const Decoder& d, int64_t T, const int64_t* ids) {
  FloatEnvironment environment;
  for (int64_t t = 0; t < T; ++t) decoder_step(d, ids + t * d.B, t == T - 1);
}

// The id that a row of logits gives: the likeliest, the lowest of equals, if exponent < 0; else the one that u in [0, 1)
// falls on, as elman.generation.choose defines. -1: the logits are not numbers.
inline int64_t choose(const Decoder& d, const float* logits, const float* bias, float exponent, double u) {
  int64_t V = d.V, best = -1;
  float* x = scratch(LOGITS, (V + 15) / 16 * 16);
  for (int64_t j = 0; j < V; ++j) {
    x[j] = bias ? logits[j] + bias[j] : logits[j];
    if (x[j] == x[j] && (best < 0 || x[j] > x[best])) best = j;
  }
  if (best < 0 || x[best] == -__builtin_inff()) return -1;
  for (int64_t j = 0; j < V; ++j)
    if (x[j] != x[j]) return -1;
  if (exponent < 0.0f) return best;
  float top = x[best];
  float* w = scratch(ORDER, (V + 15) / 16 * 16);
  for (int64_t j = 0; j < V; j += 16) store(w + j, exp(mul(sub(load_n(x + j, V - j), set1(top)), set1(exponent))));
  double total = 0.0, reached = 0.0;
  for (int64_t j = 0; j < V; ++j) total += x[j] == -__builtin_inff() ? 0.0 : double(w[j]);
  double mark = u * total;
  for (int64_t j = 0; j < V; ++j) {
    reached += x[j] == -__builtin_inff() ? 0.0 : double(w[j]);
    if (reached > mark) return j;
  }
  return -1;
}

// The next ids (steps, B). draws: (steps, B) in [0, 1), or null when greedy. Returns false when logits are not numbers.
bool decoder_generate(const Decoder& d, int64_t steps, const float* bias, float exponent, const double* draws, int64_t* ids) {
  FloatEnvironment environment;
  for (int64_t t = 0; t < steps; ++t) {
    for (int64_t b = 0; b < d.B; ++b) {
      int64_t at = t * d.B + b;
      ids[at] = choose(d, d.logits + b * d.V, bias, exponent, draws ? draws[at] : 0.0);
      if (ids[at] < 0) return false;
    }
    decoder_step(d, ids + t * d.B, true);
  }
  return true;
}
