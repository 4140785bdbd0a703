// The dense output: alone, and fused with softmax and cross-entropy.
#pragma once

// The maximum of a row, its exponentials exp(x - max) in e, and their sum: sixteen partial sums, then the tree.
inline float softmax_sum(const float* x, int64_t n, float* e, float& top) {
  v16 largest = set1(-__builtin_inff());
  int64_t whole = n / 16 * 16;
  for (int64_t j = 0; j < whole; j += 16) {
    v16 y = load(x + j);
    largest = select(lt(largest, y), y, largest);
  }
  top = max_lanes(largest);
  for (int64_t j = whole; j < n; ++j) top = top < x[j] ? x[j] : top;
  v16 sum = set1(0.0f), shift = set1(top);
  for (int64_t j = 0; j < n; j += 16) {
    store_n(e + j, exp(sub(load_n(x + j, n - j), shift)), n - j);
    sum = add(sum, load_n(e + j, n - j));
  }
  return sum_lanes(sum);
}

void log_softmax(const float* x, float* y, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r) {
    float top, constant = log(softmax_sum(x + r * n, n, y + r * n, top));
    for (int64_t j = 0; j < n; ++j) y[r * n + j] = (x[r * n + j] - top) - constant;
  }
}

void linear(const Linear& l) {
  float* packed = scratch(WEIGHTS, packed_size(l.N, l.K));
  parallel(l.rows * l.K * l.N > (1 << 16) ? get_threads() : 1, [&](const Team& team) {
    pack_transposed(l.w, l.N, l.K, l.K, packed, share(panels(l.N), 1, team.id, team.n));
    team.barrier();
    Range mine = share(l.rows, row_unit(l.rows), team.id, team.n);
    for (int64_t r = mine.begin; r < mine.end; r += 128)
      multiply({least(128, mine.end - r), l.N, l.K, l.x + r * l.K, l.K, packed, {l.b, 0}, l.y + r * l.N, l.N});
  });
}

void linear_backward(const LinearBackward& l) {
  int64_t rows = l.T * l.B;
  float* packed = l.d_x ? scratch(WEIGHTS, packed_size(l.K, l.N)) : nullptr;
  parallel(get_threads(), [&](const Team& team) {
    if (l.d_x) pack_plain(l.w, l.K, l.N, packed, share(panels(l.K), 1, team.id, team.n));
    team.barrier();
    if (l.d_x) {
      Range mine = share(rows, row_unit(rows), team.id, team.n);
      for (int64_t r = mine.begin; r < mine.end; r += 128)
        multiply({least(128, mine.end - r), l.K, l.N, l.d_y + r * l.N, l.N, packed, {}, l.d_x + r * l.K, l.K});
    }
    Rows d{l.d_y, l.N, l.T, l.B};
    if (l.d_w) outer(team, l.N, l.K, d, {l.x, l.K, l.T, l.B}, l.d_w, l.K, l.accumulate);
    if (l.d_b) sum_rows(d, share(l.N, 16, team.id, team.n), l.d_b, l.accumulate);
  });
}

// Logits of `rows` rows, then softmax minus one-hot of the target in their place, where it is wanted.
inline void loss_rows(int64_t rows, int64_t H, int64_t V, const float* hidden, const float* packed, const float* b,
                      const int64_t* targets, float* logits, float* nats, bool gradient) {
  multiply({rows, V, H, hidden, H, packed, {b, 0}, logits, V});
  float* e = scratch(LOGITS, V);
  for (int64_t r = 0; r < rows; ++r) {
    float *x = logits + r * V, top, sum = softmax_sum(x, V, e, top);
    if (nats) nats[r] = log(sum) - (x[targets[r]] - top);
    if (!gradient) continue;
    for (int64_t j = 0; j < V; j += 16) store_n(x + j, div(load_n(e + j, V - j), set1(sum)), V - j);
    x[targets[r]] -= 1.0f;
  }
}

void loss(const Loss& l) {
  float* packed = scratch(WEIGHTS, packed_size(l.V, l.H));
  parallel(l.rows * l.H * l.V > (1 << 16) ? get_threads() : 1, [&](const Team& team) {
    pack_transposed(l.w, l.V, l.H, l.H, packed, share(panels(l.V), 1, team.id, team.n));
    team.barrier();
    Range mine = share(l.rows, row_unit(l.rows), team.id, team.n);
    int64_t block = most(8, least(128, (int64_t(1) << 18) / l.V));
    float* logits = l.saved ? nullptr : scratch(ROWS, block * l.V);
    for (int64_t r = mine.begin; r < mine.end; r += block)
      loss_rows(least(block, mine.end - r), l.H, l.V, l.hidden + r * l.H, packed, l.b, l.targets + r,
                l.saved ? l.saved + r * l.V : logits, l.nats + r, l.saved != nullptr);
  });
  double sum = 0.0;
  for (int64_t r = 0; r < l.rows; ++r) sum += double(l.nats[r]);
  *l.mean = float(sum / double(l.rows));
}

void loss_backward(const LossBackward& l) {
  // Some steps at a time, the last ones first: the order of the weight gradients' sums.
  int64_t steps = most(1, least(l.T, (int64_t(1) << 22) / (l.B * l.V)));
  float* packed = l.d_hidden ? scratch(WEIGHTS, packed_size(l.H, l.V)) : nullptr;
  float* packed_out = l.saved ? nullptr : scratch(WEIGHTS2, packed_size(l.V, l.H));
  float* d = scratch(PRE, steps * l.B * l.V);
  v16 scale = set1(l.d_mean / float(l.T * l.B));
  parallel(get_threads(), [&](const Team& team) {
    if (l.d_hidden) pack_plain(l.w, l.H, l.V, packed, share(panels(l.H), 1, team.id, team.n));
    if (!l.saved) pack_transposed(l.w, l.V, l.H, l.H, packed_out, share(panels(l.V), 1, team.id, team.n));
    for (int64_t end = l.T; end > 0; end -= steps) {
      int64_t first = most(0, end - steps), rows = (end - first) * l.B;
      const float* hidden = l.hidden + first * l.B * l.H;
      team.barrier();  // after the packing, and before d is written over
      Range mine = share(rows, row_unit(rows), team.id, team.n);
      for (int64_t r = mine.begin; r < mine.end; r += 64) {
        int64_t count = least(64, mine.end - r), at = first * l.B + r;
        const float* from = l.saved ? l.saved + at * l.V : d + r * l.V;
        if (!l.saved)
          loss_rows(count, l.H, l.V, hidden + r * l.H, packed_out, l.b, l.targets + at, d + r * l.V, nullptr, true);
        for (int64_t j = 0; j < count * l.V; j += 16)
          store_n(d + r * l.V + j, mul(load_n(from + j, count * l.V - j), scale), count * l.V - j);
        if (l.d_hidden)
          multiply({count, l.H, l.V, d + r * l.V, l.V, packed, {}, l.d_hidden + at * l.H, l.H});
      }
      team.barrier();
      bool accumulate = l.accumulate || end < l.T;
      Rows logits{d, l.V, end - first, l.B};
      if (l.d_w) outer(team, l.V, l.H, logits, {hidden, l.H, end - first, l.B}, l.d_w, l.H, accumulate);
      if (l.d_b) sum_rows(logits, share(l.V, 16, team.id, team.n), l.d_b, accumulate);
    }
  });
}
