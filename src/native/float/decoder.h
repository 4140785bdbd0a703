// Generation: a model packed once, then stepped; and the loop over characters. It runs the same steps as `forward`, so the
// same bits come out.
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
  float *gates, *pre, *embedded;   // (B, 4H), (B, GH), (B, E): of all threads together
  float* choosing;                 // (choice_floats(V)): the thread's own, where it chooses

  void read(const int64_t* ids, bool want_logits, bool last_first) const {
    int64_t H = d.H, N = gates_of(d.cell) * H, S = d.cell == RNN_RELU || d.cell == RNN_TANH ? H : 4 * H;
    for (int64_t l = 0; l < d.L; ++l) {
      const DecoderLayer& layer = d.layers[l];
      float *h = d.h + (l * d.B + b0) * H, *from_x = pre + b0 * N;
      float* c = d.cell == LSTM ? d.c + (l * d.B + b0) * H : nullptr;
      Start start{layer.input, N, ids + b0};
      if (l || d.embedding) {
        int64_t I = l ? H : d.E;
        const float* x = l ? h - d.B * H : embed(ids);
        multiply({rows, N, I, x, I, layer.input, {layer.bias, 0}, from_x, N}, team);
        start = {from_x, N};
        team.barrier();
      }
      Step step{d.cell, rows, H, layer.packed_hh, layer.b_hn, start, h, c, h, c, gates + b0 * S, last_first};
      step_products(step, team);
      team.barrier();
      step_pointwise(step, share(H, 16, team.id, team.n));
      team.barrier();
    }
    if (!want_logits) return;
    const float* top = d.h + ((d.L - 1) * d.B + b0) * H;
    multiply({rows, d.V, H, top, H, d.w_out, {d.b_out, 0}, d.logits + b0 * d.V, d.V}, team);
    team.barrier();
  }

  // The rows' embeddings, (rows, E).
  const float* embed(const int64_t* ids) const {
    float* to = embedded + b0 * d.E;
    Range columns = share(d.E, 16, team.id, team.n);
    for (int64_t r = 0; r < rows; ++r)
      copy_floats(to + r * d.E + columns.begin, d.embedding + ids[b0 + r] * d.E + columns.begin, columns.end - columns.begin);
    team.barrier();
    return to;
  }
};

// body(lane) on every thread that has rows; `choosing` floats for each.
template <class F>
inline void for_lanes(const Decoder& d, int64_t choosing, F&& body) {
  if (d.B == 0) return;
  Division division = division_of(d);
  Region region(division.threads);
  Shared gates = region.shared(product(d.B, 4, d.H));
  Shared pre = region.shared(product(d.B, gates_of(d.cell), d.H));
  Shared embedded = region.shared(product(d.B, d.E));
  Each own = region.each(choosing);
  region.run([&](const Team& team) {
    if (!division.by_rows) return body(Lane{d, team, 0, d.B, team[gates], team[pre], team[embedded], team[own]});
    Range mine = share(d.B, row_unit(d.B, team.n), team.id, team.n);
    if (mine.begin < mine.end)
      body(Lane{d, {0, 1}, mine.begin, mine.end - mine.begin, team[gates], team[pre], team[embedded], team[own]});
  });
}

// Read ids (T, B); the logits belong to the last, and do not change where T is zero.
void decoder_read(const Decoder& d, int64_t T, const int64_t* ids) {
  for_lanes(d, 0, [&](const Lane& lane) {
    for (int64_t t = 0; t < T; ++t) lane.read(ids + t * d.B, t == T - 1, d.last_first != (t % 2 == 1));
  });
}

// The next ids (steps, B). Returns false when logits are not numbers.
bool decoder_generate(const Decoder& d, int64_t steps, const Choice& c, int64_t* ids) {
  if (d.V == 0) {  // there is no character
    for (int64_t i = 0; i < steps * d.B; ++i) ids[i] = 0;
    return steps * d.B == 0;
  }
  int wrong = 0;
  for_lanes(d, choice_floats(d.V), [&](const Lane& lane) {
    for (int64_t t = 0; t < steps; ++t) {
      for (int64_t b = lane.b0; b < lane.b0 + lane.rows && lane.team.id == 0; ++b) {
        int64_t id = choose_row(choose, c, t, b, d.B, d.V, d.logits + b * d.V, lane.choosing);
        if (id < 0) __atomic_store_n(&wrong, 1, __ATOMIC_RELAXED);
        ids[t * d.B + b] = most(0, id);
      }
      lane.team.barrier();
      lane.read(ids + t * d.B, true, d.last_first != (t % 2 == 1));
    }
  });
  return !wrong;
}
