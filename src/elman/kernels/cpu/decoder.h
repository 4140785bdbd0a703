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

// How a step is divided between threads: many rows by rows, whose threads never meet; few rows by columns, where the
// weights are so many that reading them takes longer than meeting several times in every layer.
struct Division {
  bool by_rows;
  int threads;
};
inline Division division_of(const Decoder& d) {
  if (d.B >= 8) return {true, row_threads(d.B)};
  int64_t N = gates_of(d.cell) * d.H, weights = (2 * d.L - 1) * N * d.H + d.V * d.H;
  return {false, weights > (1 << 15) ? get_threads() : 1};
}

// A thread's part of all steps: rows b0 .. b0+rows-1, and of their columns those that fall to `team`.
struct Lane {
  const Decoder& d;
  Team team;
  int64_t b0, rows;
  float *gates, *pre;              // (B, 4H), (B, GH): of all threads together

  void read(const int64_t* ids, bool want_logits) const {
    int64_t H = d.H, N = gates_of(d.cell) * H, S = d.cell == RNN_RELU || d.cell == RNN_TANH ? H : 4 * H;
    auto part = [&](const Product& p) { multiply(columns_of(p, share(panels(p.N), 1, team.id, team.n))); };
    for (int64_t l = 0; l < d.L; ++l) {
      const DecoderLayer& layer = d.layers[l];
      float *h = d.h + (l * d.B + b0) * H, *from_x = pre + b0 * N;
      float* c = d.cell == LSTM ? d.c + (l * d.B + b0) * H : nullptr;
      Start start{layer.input, N, ids + b0};
      if (l) {
        part({rows, N, H, h - d.B * H, H, layer.input, {layer.bias, 0}, from_x, N});
        start = {from_x, N};
        team.barrier();
      }
      Step step{d.cell, rows, H, layer.packed_hh, layer.b_hn, start, h, c, h, c, gates + b0 * S};
      step_products(step, team);
      team.barrier();
      step_pointwise(step, share(H, 16, team.id, team.n));
      team.barrier();
    }
    if (!want_logits) return;
    part({rows, d.V, H, d.h + ((d.L - 1) * d.B + b0) * H, H, d.w_out, {d.b_out, 0}, d.logits + b0 * d.V, d.V});
    team.barrier();
  }
};

// body(lane) on every thread that has rows.
template <class F>
inline void for_lanes(const Decoder& d, F&& body) {
  Division division = division_of(d);
  float* gates = scratch(ROWS, d.B * 4 * d.H);
  float* pre = scratch(PRE, d.B * gates_of(d.cell) * d.H);
  parallel(division.threads, [&](const Team& team) {
    if (!division.by_rows) return body(Lane{d, team, 0, d.B, gates, pre});
    Range mine = share(d.B, row_unit(d.B), team.id, team.n);
    if (mine.begin < mine.end) body(Lane{d, {0, 1}, mine.begin, mine.end - mine.begin, gates, pre});
  });
}

// Read ids (T, B); the logits are those after the last.
void decoder_read(const Decoder& d, int64_t T, const int64_t* ids) {
  for_lanes(d, [&](const Lane& lane) {
    for (int64_t t = 0; t < T; ++t) lane.read(ids + t * d.B, t == T - 1);
  });
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
  int wrong = 0;
  for_lanes(d, [&](const Lane& lane) {
    for (int64_t t = 0; t < steps; ++t) {
      int64_t at = t * d.B + lane.b0;
      for (int64_t b = 0; b < lane.rows && lane.team.id == 0; ++b) {
        int64_t id = choose(d, d.logits + (lane.b0 + b) * d.V, bias, exponent, draws ? draws[at + b] : 0.0);
        if (id < 0) __atomic_store_n(&wrong, 1, __ATOMIC_RELAXED);
        ids[at + b] = most(0, id);
      }
      lane.team.barrier();
      lane.read(ids + t * d.B, true);
    }
  });
  return !wrong;
}
