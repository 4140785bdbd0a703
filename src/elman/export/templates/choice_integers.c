
/* ---- the choice by integer weights: float32 without doubles, and sums of integers ---- */

static float product(float a, float b) {
  volatile float p = a * b; /* never part of a fused multiply-add */
  return p;
}
/* 2^30 exp((x - top) exponent), x <= top. Polynomial: Moshier, Cephes, expf.c (1989). */
static uint32_t share(float x, float top, float exponent) {
  const float point = 12582912.0f; /* 1.5 * 2^23: adding it rounds to a whole number */
  float d = product(x - top, exponent), n, r, p, power;
  int32_t bits, size, shift;
  if (d < -30.0f) d = -30.0f;
  n = (product(d, 1.44269504088896341f) + point) - point;
  r = d - product(n, 0.693359375f), r = r - product(n, -2.12194440e-4f);
  p = 1.9875691500e-4f;
  p = product(p, r) + 1.3981999507e-3f, p = product(p, r) + 8.3334519073e-3f, p = product(p, r) + 4.1665795894e-2f;
  p = product(p, r) + 1.6666665459e-1f, p = product(p, r) + 5.0000001201e-1f;
  power = (product(product(r, r), p) + r) + 1.0f;
  memcpy(&bits, &power, 4); /* its mantissa, shifted to 2^-30; ties to even */
  size = (bits & 0x7fffff) | 0x800000, shift = (bits >> 23) - 150 + (int32_t)n + 30;
  return (uint32_t)(shift >= 0 ? (uint64_t)size << shift : shift < -25 ? 0 : without((uint64_t)size, -shift));
}

int MODEL_choose(float x[V], float exponent, uint64_t u) {
  int best = MODEL_likeliest(x);
  float top = x[best];
  uint64_t total = 0, reached = 0, mark;
  for (int j = 0; j < V; ++j) {
    uint32_t each = never(j) ? 0 : share(x[j], top, exponent);
    memcpy(x + j, &each, 4); /* in the logits' place */
    total += each;
  }
  mark = high(u, total);
  for (int j = 0; j < V; ++j) {
    uint32_t each;
    memcpy(&each, x + j, 4);
    reached += each;
    if (reached > mark) return j;
  }
  return best;
}

uint64_t MODEL_draw(uint64_t seed, uint64_t stream, uint32_t index) { return word(seed, stream, index); }
