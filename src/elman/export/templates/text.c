
/* ---- choosing and drawing ---- */

static int never(int id) { return token_at[id] == token_at[id + 1]; }

int MODEL_likeliest(const float x[V]) {
  int best = -1;
  for (int j = 0; j < V; ++j)
    if (!never(j) && (best < 0 || x[j] > x[best])) best = j;
  return best;
}

/* The upper half of a product. */
static uint64_t high(uint64_t a, uint64_t b) {
  uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32, m = a1 * b0 + (a0 * b0 >> 32);
  return a1 * b1 + (m >> 32) + ((a0 * b1 + (uint32_t)m) >> 32);
}
/* Philox4x64-10, whose words NumPy draws too. */
static uint64_t word(uint64_t seed, uint64_t stream, uint32_t index) {
  const uint64_t m0 = 0xD2E7470EE14C6C93u, m1 = 0xCA5A826395121157u;
  uint64_t c[4] = {(uint64_t)index / 4 + 1, 0, 0, 0}, k0 = seed, k1 = ((uint64_t)1 << 33) + stream;
  for (int round = 0; round < 10; ++round) {
    uint64_t a = high(c[2], m1) ^ c[1] ^ k0, b = high(c[0], m0) ^ c[3] ^ k1;
    c[1] = c[2] * m1, c[3] = c[0] * m0, c[0] = a, c[2] = b;
    k0 += 0x9E3779B97F4A7C15u, k1 += 0xBB67AE8584CAA73Bu;
  }
  return c[index % 4];
}

const char *MODEL_token(int id, int *size) {
  *size = (int)(token_at[id + 1] - token_at[id]);
  return (const char *)token_bytes + token_at[id];
}
