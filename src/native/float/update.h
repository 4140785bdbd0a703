// What happens to parameters between two steps: the gradient's norm, SGD, AdamW, the average of the weights. And two things that only tests and
// benchmarks call.
#pragma once

// body(tensor, first, count, chunk) for every chunk, divided between the threads.
template <class F>
inline void for_chunks(const Tensors& tensors, F&& body) {
  int64_t chunks = chunks_of(tensors);
  parallel(chunks >= 8 ? get_threads() : 1, [&](const Team& team) {
    Range mine = share(chunks, 1, team.id, team.n);
    int64_t chunk = 0;
    for (int64_t i = 0; i < tensors.count; ++i)
      for (int64_t at = 0; at < tensors.sizes[i]; at += kChunk, ++chunk)
        if (mine.begin <= chunk && chunk < mine.end) body(i, at, least(kChunk, tensors.sizes[i] - at), chunk);
  });
}

// In float64, where the square of a float32 is exact: for each chunk, in the order of the tensors, sixteen partial sums and
// their tree. sums: (chunks_of(tensors)).
void squares(const Tensors& tensors, double* sums) {
  for_chunks(tensors, [&](int64_t i, int64_t at, int64_t count, int64_t chunk) {
    const float* x = tensors.p[i] + at;
    double lanes[16] = {};
    int64_t j = 0;
    for (; j + 16 <= count; j += 16)
      for (int l = 0; l < 16; ++l) lanes[l] += double(x[j + l]) * double(x[j + l]);
    for (; j < count; ++j) lanes[j % 16] += double(x[j]) * double(x[j]);
    for (int half = 8; half; half /= 2)
      for (int l = 0; l < half; ++l) lanes[l] += lanes[l + half];
    sums[chunk] = lanes[0];
  });
}

void sgd(const Tensors& tensors, float lr, float scale) {
  v16 rate = set1(lr), factor = set1(scale);
  for_chunks(tensors, [&](int64_t i, int64_t at, int64_t count, int64_t) {
    float* p = tensors.p[i] + at;
    const float* g = tensors.g[i] + at;
    for (int64_t j = 0; j < count; j += 16) {
      int64_t n = count - j;
      store_n(p + j, sub(load_n(p + j, n), mul(mul(load_n(g + j, n), factor), rate)), n);
    }
  });
}

void adamw(const Tensors& tensors, const Adam& a) {
  for_chunks(tensors, [&](int64_t i, int64_t at, int64_t count, int64_t) {
    float *p = tensors.p[i] + at, *m = tensors.m[i] + at, *v = tensors.v[i] + at;
    const float* g = tensors.g[i] + at;
    for (int64_t j = 0; j < count; j += 16) {
      int64_t n = count - j;
      v16 x = mul(load_n(g + j, n), set1(a.scale));
      v16 mean = add(mul(load_n(m + j, n), set1(a.beta1)), mul(x, set1(a.one_minus_beta1)));
      v16 square = add(mul(load_n(v + j, n), set1(a.beta2)), mul(mul(x, x), set1(a.one_minus_beta2)));
      v16 below = add(div(sqrt(square), set1(a.correction2)), set1(a.eps));
      v16 decayed = mul(load_n(p + j, n), set1(a.decay));
      store_n(m + j, mean, n);
      store_n(v + j, square, n);
      store_n(p + j, sub(decayed, mul(div(mean, below), set1(a.step_size))), n);
    }
  });
}

void average(const Tensors& tensors, float share) {
  for_chunks(tensors, [&](int64_t i, int64_t at, int64_t count, int64_t) {
    const float* p = tensors.p[i] + at;
    float* m = tensors.m[i] + at;
    for (int64_t j = 0; j < count; j += 16) {
      int64_t n = count - j;
      v16 mean = load_n(m + j, n);
      store_n(m + j, add(mean, mul(sub(load_n(p + j, n), mean), set1(share))), n);
    }
  });
}

// The named function of math.h on n floats; see Table.
void math(int f, const float* x, float* y, int64_t n) {
  FloatEnvironment environment;  // here and in log_softmax no team sets it
  for (int64_t i = 0; i < n; i += 16) {
    v16 a = load_n(x + i, n - i);
    if (f == 1)
      for (int64_t j = i; j < least(i + 16, n); ++j) y[j] = log(x[j]);
    else
      store_n(y + i, f == 0 ? exp(a) : f == 2 ? tanh(a) : sigmoid(a), n - i);
  }
}

// The floor that benchmarks compare with: independent FMAs in registers, on all threads.
double fma_peak(int64_t rounds) {
  double operations = 0.0;
  Region region(get_threads());
  Each sink = region.each(16);  // so that the compiler cannot leave the work out
  region.run([&](const Team& team) {
    constexpr int kSums = kRows < 8 ? kRows * kVectors : 16;  // they fit in registers, and hide the latency of one
    v16 sums[kSums];
    for (auto& s : sums) s = set1(float(team.id));
    v16 x = set1(0.999f), y = set1(0.001f);
    for (int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 16
      for (auto& s : sums) s = fma(s, x, y);
    }
    for (auto& s : sums) store(team[sink], s);
    if (team.id == 0) operations = 2.0 * 16 * kSums * double(rounds) * team.n;
  });
  return operations;
}
