
/* ---- the choice, in doubles and float32 as the float kernel has it ---- */

/* a b + c rounded once: the product is exact in a double, the sum is rounded to odd, and then to a float. libm's fmaf
 * would do, but where the processor has none, some round twice. */
static float fused(float a, float b, float c) {
#if defined(__ARM_FEATURE_FMA) && (__ARM_FP & 4) && defined(__GNUC__)
  return __builtin_fmaf(a, b, c);
#else
  double p = (double)a * b, sum = p + c, back = sum - p, error = (p - (sum - back)) + (c - back);
  uint64_t bits;
  if (error != 0.0) {
    memcpy(&bits, &sum, 8);
    if ((sum < 0.0) != (error < 0.0)) --bits;
    bits |= 1;
    memcpy(&sum, &bits, 8);
  }
  return (float)sum;
#endif
}
static float nearest(float x) { return (x + 12582912.0f) - 12582912.0f; }
static float power2(float n) {
  int32_t bits = ((int32_t)n + 127) * (1 << 23);
  float to;
  memcpy(&to, &bits, 4);
  return to;
}
static float exponential(float x) { /* x <= 0. Polynomial: Moshier, Cephes, expf.c (1989) */
  volatile float octaves;
  float n, r, p, half;
  if (x < -104.0f) x = -104.0f;
  octaves = x * 1.44269504088896341f, n = nearest(octaves);
  r = fused(-n, 0.693359375f, x), r = fused(-n, -2.12194440e-4f, r);
  p = 1.9875691500e-4f;
  p = fused(p, r, 1.3981999507e-3f), p = fused(p, r, 8.3334519073e-3f), p = fused(p, r, 4.1665795894e-2f);
  p = fused(p, r, 1.6666665459e-1f), p = fused(p, r, 5.0000001201e-1f);
  p = fused(r * r, p, r) + 1.0f;
  half = nearest(n * 0.5f);
  return (p * power2(half)) * power2(n - half);
}

int MODEL_choose(float x[V], float exponent, double u) {
  int best = MODEL_likeliest(x);
  float top = x[best];
  double total = 0.0, reached = 0.0;
  for (int j = 0; j < V; ++j) {
    x[j] = never(j) ? 0.0f : exponential((x[j] - top) * exponent);
    total += (double)x[j];
  }
  total *= u;
  for (int j = 0; j < V; ++j) {
    reached += (double)x[j];
    if (reached > total) return j;
  }
  return best;
}

double MODEL_draw(uint64_t seed, uint64_t stream, uint32_t index) {
  return (double)(word(seed, stream, index) >> 11) * (1.0 / 9007199254740992.0);
}
