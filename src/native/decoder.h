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
  float *gates, *pre;              // (B, 4H), (B, GH): of all threads together
  float* choosing;                 // (choice_floats(V)): the thread's own, where it chooses

  void read(const int64_t* ids, bool want_logits) const {
    int64_t H = d.H, N = gates_of(d.cell) * H, S = d.cell == RNN_RELU || d.cell == RNN_TANH ? H : 4 * H;
    for (int64_t l = 0; l < d.L; ++l) {
      const DecoderLayer& layer = d.layers[l];
      float *h = d.h + (l * d.B + b0) * H, *from_x = pre + b0 * N;
      float* c = d.cell == LSTM ? d.c + (l * d.B + b0) * H : nullptr;
      Start start{layer.input, N, ids + b0};
      if (l) {
        multiply({rows, N, H, h - d.B * H, H, layer.input, {layer.bias, 0}, from_x, N}, team);
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
    const float* top = d.h + ((d.L - 1) * d.B + b0) * H;
    multiply({rows, d.V, H, top, H, d.w_out, {d.b_out, 0}, d.logits + b0 * d.V, d.V}, team);
    team.barrier();
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
  Each own = region.each(choosing);
  region.run([&](const Team& team) {
    if (!division.by_rows) return body(Lane{d, team, 0, d.B, team[gates], team[pre], team[own]});
    Range mine = share(d.B, row_unit(d.B, team.n), team.id, team.n);
    if (mine.begin < mine.end)
      body(Lane{d, {0, 1}, mine.begin, mine.end - mine.begin, team[gates], team[pre], team[own]});
  });
}

// Read ids (T, B); the logits are those after the last, and left as they are where T is zero.
void decoder_read(const Decoder& d, int64_t T, const int64_t* ids) {
  for_lanes(d, 0, [&](const Lane& lane) {
    for (int64_t t = 0; t < T; ++t) lane.read(ids + t * d.B, t == T - 1);
  });
}

// The ids of a row in the order of their likelihood, one after another; of equals the lowest first. A heap, whose root is
// the next one.
struct Likeliest {
  const float* x;
  int32_t* heap;                   // (V)
  int64_t left;

  Likeliest(const float* x, int32_t* heap, int64_t V) : x(x), heap(heap), left(V) {
    for (int64_t j = 0; j < V; ++j) heap[j] = int32_t(j);
    for (int64_t i = V / 2; i-- > 0;) sink(i);
  }
  bool first(int32_t a, int32_t b) const { return x[a] > x[b] || (x[a] == x[b] && a < b); }
  void sink(int64_t i) {
    int32_t id = heap[i];
    for (int64_t child; (child = 2 * i + 1) < left; i = child) {
      if (child + 1 < left && first(heap[child + 1], heap[child])) ++child;
      if (!first(heap[child], id)) break;
      heap[i] = heap[child];
    }
    heap[i] = id;
  }
  void next() {                    // the one that is taken stays behind the heap, so that heap[left] .. are those taken
    int32_t best = heap[0], last = heap[--left];
    heap[0] = last;
    if (left) sink(0);
    heap[left] = best;
  }
};

// Zero the weights w (V) that top-k and top-p leave out, as elman.generation.weights defines it. heap: (V), scratch.
inline void keep_likeliest(const Choice& c, int64_t V, const float* x, double* w, int32_t* heap) {
  Likeliest order(x, heap, V);
  int64_t kept = c.top_k > 0 ? least(c.top_k, V) : V;
  for (int64_t i = 0; i < kept; ++i) order.next();
  for (int64_t i = 0; i < V - kept; ++i) w[order.heap[i]] = 0.0;
  if (c.top_p < 0.0) return;
  double total = 0.0, before = 0.0;
  for (int64_t i = V; i-- > V - kept;) total += w[order.heap[i]];
  for (int64_t i = V; i-- > V - kept;) {
    double& one = w[order.heap[i]];
    double weight = one;
    if (before >= c.top_p * total) one = 0.0;
    before += weight;
  }
}

// Floats of scratch for one choice: the logits as changed, their exponentials, their weights in double, and a heap of ids;
// each in whole vectors.
inline int64_t choice_floats(int64_t V) { return product(V / 16 + 1, 16, 5); }

// The id that a row of logits gives: the likeliest, the lowest of equals, when greedy; else the one that u in [0, 1) falls
// on, as elman.generation.choose defines. -1: the logits are not numbers. seen: (V), or null.
inline int64_t choose(const Choice& c, int64_t V, const float* logits, const uint8_t* seen, double u,
                      float* memory) {
  int64_t best = -1, whole = (V / 16 + 1) * 16;
  float *x = memory, *e = x + whole;
  double* w = reinterpret_cast<double*>(e + whole);
  int32_t* heap = reinterpret_cast<int32_t*>(w + whole);
  for (int64_t j = 0; j < V; ++j) {
    x[j] = c.bias ? logits[j] + c.bias[j] : logits[j];
    if (seen && seen[j]) x[j] = x[j] > 0.0f ? x[j] / c.penalty : x[j] * c.penalty;
    if (x[j] == x[j] && (best < 0 || x[j] > x[best])) best = j;
  }
  if (best < 0 || x[best] == -__builtin_inff()) return -1;
  for (int64_t j = 0; j < V; ++j)
    if (x[j] != x[j]) return -1;
  if (c.exponent < 0.0f) return best;
  float top = x[best];
  for (int64_t j = 0; j < V; j += 16) store(e + j, exp(mul(sub(load_n(x + j, V - j), set1(top)), set1(c.exponent))));
  for (int64_t j = 0; j < V; ++j) w[j] = x[j] == -__builtin_inff() ? 0.0 : double(e[j]);
  if (c.top_k > 0 || c.top_p >= 0.0) keep_likeliest(c, V, x, w, heap);
  for (int64_t j = 0; j < V && c.min_p >= 0.0; ++j)
    if (w[j] < c.min_p) w[j] = 0.0;
  double total = 0.0, reached = 0.0;
  for (int64_t j = 0; j < V; ++j) total += w[j];
  double mark = u * total;
  for (int64_t j = 0; j < V; ++j) {
    reached += w[j];
    if (reached > mark) return j;
  }
  return -1;
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
        int64_t at = t * d.B + b;
        uint8_t* seen = c.seen ? c.seen + b * d.V : nullptr;
        int64_t id = choose(c, d.V, d.logits + b * d.V, seen, c.draws ? c.draws[at] : 0.0, lane.choosing);
        if (id < 0) __atomic_store_n(&wrong, 1, __ATOMIC_RELAXED);
        ids[at] = most(0, id);
        if (seen) seen[ids[at]] = 1;
      }
      lane.team.barrier();
      lane.read(ids + t * d.B, true);
    }
  });
  return !wrong;
}
