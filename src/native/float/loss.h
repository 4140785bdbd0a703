// Softmax and cross-entropy, fused with the dense output.
#pragma once

// The maximum of a row, its exponentials exp(x - max) in e, and their sum: sixteen partial sums, then the tree.
inline float softmax_sum(const float* x, int64_t n, float* e, float& top) {
  v16 largest = set1(-__builtin_inff());
  auto take = [&](const float* from) {
    v16 y = load(from);
    largest = select(lt(largest, y), y, largest);
  };
  for (int64_t j = 0; j + 16 <= n; j += 16) take(x + j);
  if (n >= 16 && n % 16) take(x + n - 16);  // some twice, which a maximum does not mind
  top = max_lanes(largest);
  for (int64_t j = 0; j < n && n < 16; ++j) top = top < x[j] ? x[j] : top;
  v16 sum = set1(0.0f), shift = set1(top);
  for (int64_t j = 0; j < n; j += 16) {
    store_n(e + j, exp(sub(load_n(x + j, n - j), shift)), n - j);
    sum = add(sum, load_n(e + j, n - j));
  }
  return sum_lanes(sum);
}

void log_softmax(const float* x, float* y, int64_t rows, int64_t n) {
  FloatEnvironment environment;
  for (int64_t r = 0; r < rows; ++r) {
    float top, constant = log(softmax_sum(x + r * n, n, y + r * n, top));
    for (int64_t j = 0; j < n; ++j) y[r * n + j] = (x[r * n + j] - top) - constant;
  }
}

// The rows of a (T, B) batch that a thread serves: the same sequences as in the recurrence, whose output lies in this
// core's cache; or, where there are fewer sequences than threads, a share of all rows.
struct Part {
  int64_t T, B, b0, rows;
};
inline Part part_of(int64_t T, int64_t B, const Team& team) {
  if (B < team.n) B *= T, T = 1;
  Range mine = share(B, row_unit(B, team.n), team.id, team.n);
  return {T, B, mine.begin, mine.end - mine.begin};
}

// Softmax in place of logits, minus one at the target, for `rows` rows; and the loss of each row where it is wanted. A
// row whose target is negative counts for nothing. e: (V), scratch.
inline void loss_rows(int64_t rows, int64_t V, const int64_t* targets, float* logits, float* nats, bool gradient, float* e) {
  for (int64_t r = 0; r < rows; ++r) {
    float *x = logits + r * V, top;
    if (targets[r] < 0) {
      if (nats) nats[r] = 0.0f;
      for (int64_t j = 0; j < V && gradient; ++j) x[j] = 0.0f;
      continue;
    }
    float sum = softmax_sum(x, V, e, top);
    if (nats) nats[r] = log(sum) - (x[targets[r]] - top);
    if (!gradient) continue;
    for (int64_t j = 0; j < V; j += 16) store_n(x + j, div(load_n(e + j, V - j), set1(sum)), V - j);
    x[targets[r]] -= 1.0f;
  }
}

inline float counted(const int64_t* targets, int64_t rows) {
  int64_t count = 0;
  for (int64_t r = 0; r < rows; ++r) count += targets[r] >= 0;
  return float(count);
}

// The mean of the rows that count, in nats.
inline float mean_of(const float* nats, const int64_t* targets, int64_t rows) {
  double sum = 0.0;
  for (int64_t r = 0; r < rows; ++r) sum += double(nats[r]);
  return float(sum / double(counted(targets, rows)));
}

void loss(const Loss& l) {
  Region region(product(l.T * l.B, l.H, l.V) > (1 << 16) ? get_threads() : 1);
  // Several steps at a time, as many as keep their logits in the cache; or a part of the rows of one.
  int64_t block = most(8, least(128, (int64_t(1) << 18) / most(1, l.V)));
  Shared packed_w = region.shared(packed_size(l.V, l.H));
  Each logits_of = region.each(l.saved ? 0 : product(least(block, l.T * l.B), l.V)), powers = region.each(l.V);
  region.run([&](const Team& team) {
    float* packed = team[packed_w];
    pack_transposed(l.w, l.V, l.H, l.H, packed, share(panels(l.V), 1, team.id, team.n));
    team.barrier();
    Part p = part_of(l.T, l.B, team);
    if (p.rows == 0) return;
    int64_t rows = least(p.rows, block), steps = most(1, block / p.rows);
    for (int64_t t = 0; t < p.T; t += steps)
      for (int64_t b = p.b0; b < p.b0 + p.rows; b += rows) {
        int64_t at = t * p.B + b, count = least(rows, p.b0 + p.rows - b), groups = least(steps, p.T - t);
        float* to = l.saved ? l.saved + at * l.V : team[logits_of];
        int64_t group = l.saved ? p.B * l.V : count * l.V;
        multiply({count, l.V, l.H, l.hidden + at * l.H, l.H, packed, {l.b, 0}, to, l.V, groups, p.B * l.H, group});
        for (int64_t g = 0; g < groups; ++g)
          loss_rows(count, l.V, l.targets + at + g * p.B, to + g * group, l.nats + at + g * p.B, l.saved != nullptr,
                    team[powers]);
      }
  });
  *l.mean = mean_of(l.nats, l.targets, l.T * l.B);
}

void loss_backward(const LossBackward& l) {
  if (l.T * l.B == 0) {
    for (int64_t i = 0; i < l.V * l.H && l.d_w && !l.accumulate; ++i) l.d_w[i] = 0.0f;
    for (int64_t i = 0; i < l.V && l.d_b && !l.accumulate; ++i) l.d_b[i] = 0.0f;
    return;
  }
  // Some steps at a time, the last ones first: the order of the weight gradients' sums.
  int64_t steps = most(1, least(l.T, (int64_t(1) << 22) / most(1, product(l.B, l.V))));
  Region region(get_threads());
  Shared packed_w = region.shared(l.d_hidden ? packed_size(l.H, l.V) : 0);
  Shared packed_out_w = region.shared(l.saved ? 0 : packed_size(l.V, l.H));
  Shared gradients = region.shared(product(steps, l.B, l.V));
  Each powers = region.each(l.saved ? 0 : l.V);
  Packing packing;
  if (l.d_w) packing.fit(l.V, l.H, region.n());
  packing.reserve(region);
  v16 scale = set1(l.d_mean / counted(l.targets, l.T * l.B));
  region.run([&](const Team& team) {
    float *packed = team[packed_w], *packed_out = team[packed_out_w], *d = team[gradients];
    if (l.d_hidden) pack_plain(l.w, l.H, l.V, packed, share(panels(l.H), 1, team.id, team.n));
    if (!l.saved) pack_transposed(l.w, l.V, l.H, l.H, packed_out, share(panels(l.V), 1, team.id, team.n));
    for (int64_t end = l.T; end > 0; end -= steps) {
      int64_t first = most(0, end - steps), offset = first * l.B;
      const float* hidden = l.hidden + offset * l.H;
      team.barrier();  // after the packing, and before d is written over
      Part p = part_of(end - first, l.B, team);
      for (int64_t t = 0; t < p.T && p.rows; ++t) {
        int64_t at = t * p.B + p.b0;
        float* to = d + at * l.V;
        const float* from = l.saved ? l.saved + (offset + at) * l.V : to;
        if (!l.saved) {
          multiply({p.rows, l.V, l.H, hidden + at * l.H, l.H, packed_out, {l.b, 0}, to, l.V});
          loss_rows(p.rows, l.V, l.targets + offset + at, to, l.nats ? l.nats + offset + at : nullptr, true, team[powers]);
        }
        for (int64_t j = 0; j < p.rows * l.V; j += 16)
          store_n(to + j, mul(load_n(from + j, p.rows * l.V - j), scale), p.rows * l.V - j);
      }
      if (l.d_hidden && p.rows)
        multiply({p.rows, l.H, l.V, d + p.b0 * l.V, l.V, packed, {}, l.d_hidden + (offset + p.b0) * l.H, l.H, p.T,
                  p.B * l.V, p.B * l.H});
      team.barrier();
      bool accumulate = l.accumulate || end < l.T;
      Rows logits{d, l.V, end - first, l.B};
      if (l.d_w) outer(team, packing, l.V, l.H, logits, {hidden, l.H, end - first, l.B}, l.d_w, l.H, accumulate);
      if (l.d_b) sum_rows(logits, share(l.V, 16, team.id, team.n), l.d_b, accumulate);
    }
  });
  if (l.mean) *l.mean = mean_of(l.nats, l.targets, l.T * l.B);
}
