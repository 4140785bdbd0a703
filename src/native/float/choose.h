// The choice of the next character.
#pragma once

// The ids of a row in the order of their likelihood, one after another; ties go to the lowest. A heap, whose root is
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
  void next() {                    // the one that is taken stays behind the heap, so heap[left] .. are those taken
    int32_t best = heap[0], last = heap[--left];
    heap[0] = last;
    if (left) sink(0);
    heap[left] = best;
  }
};

// Zero the weights w (V) that top-k and top-p leave out, as generation/choose.py defines it. heap: (V), scratch.
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

// The id that a row of logits gives: the likeliest, ties to the lowest, when greedy; else the one that u in [0, 1) falls
// on, as generation/choose.py defines. -1: the logits are not numbers. seen: (V), or null.
inline int64_t choose(const Choice& c, int64_t V, const float* logits, const uint8_t* seen, double u,
                      float* memory) {
  int64_t best = -1, whole = (V / 16 + 1) * 16;
  float *x = memory, *e = x + whole;
  double* w = reinterpret_cast<double*>(e + whole);
  int32_t* heap = reinterpret_cast<int32_t*>(w + whole);
  for (int64_t j = 0; j < V; ++j) {
    x[j] = c.bias ? logits[j] + c.bias[j] : logits[j];
    if (c.counts && c.counts[j]) x[j] -= c.presence + c.frequency * float(c.counts[j]);
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
