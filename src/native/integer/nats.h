// The cost of a target under logits: exponentials as integers, whose sum has no order, and a logarithm in double. Every
// operation is one of IEEE-754's, rounded once; no fused multiply-add. Plain loops: the compiler may use any vectors.
#pragma once

// exp(x - top) in 2^-30, for x <= top. Polynomial: Moshier, Cephes, expf.c (1989).
inline int32_t weight(float x, float top) {
  constexpr float point = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number
  float d = x - top;
  d = choose_by(-int32_t(d < -30.0f), -30.0f, d);
  float n = (d * 1.44269504088896341f + point) - point;
  float r = (d - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  float e = ((r * r) * p + r) + 1.0f, power;
  int32_t bits = int32_t(uint32_t(int32_t(n) + 30 + 127) << 23);
  memcpy(&power, &bits, 4);
  return nearest(e * power);
}

// ln(total 2^-30), total > 0: 2 artanh((m-1)/(m+1)) + e ln 2.
inline double log_of(int64_t total) {
  double m = double(total);
  int64_t bits;
  memcpy(&bits, &m, 8);
  int64_t e = (bits >> 52) - 1022 - 30;
  bits = (bits & 0x000fffffffffffff) | 0x3fe0000000000000;  // m in [1/2, 1)
  memcpy(&m, &bits, 8);
  if (m < 0.7071067811865476) m = m + m, e -= 1;
  double s = (m - 1.0) / (m + 1.0), square = s * s, p = 1.0 / 23.0;
  for (int k = 21; k > 0; k -= 2) p = p * square + 1.0 / double(k);
  return double(e) * 0.6931471805599453 + (s + s) * p;
}

// The largest of x (V), V > 0.
inline float top_of(const float* x, int64_t V) {
  float largest[16], top = x[0];
  for (float& each : largest) each = x[0];
  int64_t j = 0;
  for (; j + 16 <= V; j += 16)
    for (int i = 0; i < 16; ++i) largest[i] = largest[i] < x[j + i] ? x[j + i] : largest[i];
  for (; j < V; ++j) top = top < x[j] ? x[j] : top;
  for (float each : largest) top = top < each ? each : top;
  return top;
}

inline double log_of_sum(const float* x, int64_t V, float top) {
  int64_t total = 0;
  for (int64_t j = 0; j < V; ++j) total += weight(x[j], top);
  return log_of(total);
}

inline double nats_of(const float* x, int64_t V, int64_t target) {
  float top = top_of(x, V);
  return log_of_sum(x, V, top) + (double(top) - double(x[target]));
}

void weights(const float* logits, int32_t* to, int64_t V) {
  float top = top_of(logits, V);
  for (int64_t j = 0; j < V; ++j) to[j] = weight(logits[j], top);
}

void nats(const float* logits, const int64_t* targets, double* to, int64_t rows, int64_t V) {
  for (int64_t r = 0; r < rows; ++r) to[r] = nats_of(logits + r * V, V, targets[r]);
}

void log_softmax(const float* logits, double* to, int64_t rows, int64_t V) {
  for (int64_t r = 0; r < rows; ++r, logits += V, to += V) {
    double top = double(top_of(logits, V)), log_sum = log_of_sum(logits, V, float(top));
    for (int64_t j = 0; j < V; ++j) to[j] = -(log_sum + (top - double(logits[j])));
  }
}
