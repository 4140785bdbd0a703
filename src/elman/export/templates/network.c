#if defined(__ARM_FEATURE_DSP)
#include <arm_acle.h>
#endif

/* ---- weights ---- */

#if BITS == 8
#define BYTES(weights) (weights)
static int32_t weight(const weight_t *w, uint32_t at) { return w[at]; }
#else
/* Eight weights are BITS bytes, highest bit first, each with an offset so that none is negative. */
#define OFFSET (1 << (BITS - 1))
#define BYTES(weights) ((weights) / 8 * BITS)
static int32_t weight(const weight_t *w, uint32_t at) {
  uint32_t bit = at * BITS, two = (uint32_t)w[bit / 8] << 8 | w[bit / 8 + 1];
  return (int32_t)(two >> (16 - BITS - bit % 8) & ((1u << BITS) - 1)) - OFFSET;
}
#endif

/* The sum of a row of `count` weights times x. Groups of eight: rows and x are filled up with zeros. */
static int32_t dot(const weight_t *w, const int8_t *x, uint32_t count) {
  int32_t sum = 0;
#if BITS == 8 && defined(__ARM_FEATURE_DSP)
  for (uint32_t k = 0; k < count; k += 4) {
    uint32_t a, b;
    memcpy(&a, w + k, 4);
    memcpy(&b, x + k, 4);
    sum = __smlad(__sxtb16(a), __sxtb16(b), sum);
    sum = __smlad(__sxtb16(a >> 8 | a << 24), __sxtb16(b >> 8 | b << 24), sum);
  }
#elif BITS == 8
  for (uint32_t k = 0; k < count; k += 4)
    sum += w[k] * x[k] + w[k + 1] * x[k + 1] + w[k + 2] * x[k + 2] + w[k + 3] * x[k + 3];
#elif BITS == 4
  int32_t all = 0;
  for (uint32_t k = 0; k < count; k += 2) {
    int32_t two = *w++;
    sum += (two >> 4) * x[k] + (two & 15) * x[k + 1], all += x[k] + x[k + 1];
  }
  sum -= OFFSET * all;
#else
  int32_t all = 0;
  for (uint32_t k = 0; k < count; k += 8, x += 8, w += BITS) {
    uint32_t high = (uint32_t)w[0] << 16 | (uint32_t)w[1] << 8 | w[2], low;
    const uint32_t mask = (1u << BITS) - 1;
#if BITS == 6
    low = (uint32_t)w[3] << 16 | (uint32_t)w[4] << 8 | w[5];
#else
    low = (high & 15) << 16 | (uint32_t)w[3] << 8 | w[4], high >>= 4;
#endif
    for (int i = 0; i < 4; ++i) {
      int shift = BITS * (3 - i);
      sum += (int32_t)(high >> shift & mask) * x[i] + (int32_t)(low >> shift & mask) * x[i + 4];
      all += x[i] + x[i + 4];
    }
  }
  sum -= OFFSET * all;
#endif
  return sum;
}

/* ---- numbers: float32's products and roundings, in integers, so that no compiler can contract them ---- */

typedef struct {
  int32_t m; /* below 2^24 */
  int e;     /* the number is m 2^e */
} number;

/* x without its lowest n bits; ties to even. */
static uint64_t without(uint64_t x, int n) {
  uint64_t half = (uint64_t)1 << (n - 1);
  return (x + half - 1 + (x >> n & 1)) >> n;
}
static int bits_of(uint64_t x) {
#if defined(__GNUC__)
  return x ? 64 - __builtin_clzll(x) : 0;
#else
  int bits = 0;
  for (; x; x >>= 1) ++bits;
  return bits;
#endif
}
/* m 2^e with a mantissa of 24 bits. */
static number rounded(int64_t m, int e) {
  number to;
  uint64_t size = m < 0 ? (uint64_t)-m : (uint64_t)m;
  int over = bits_of(size) - 24;
  if (over > 0) size = without(size, over);
  else over = 0;
  to.m = m < 0 ? -(int32_t)size : (int32_t)size, to.e = e + over;
  return to;
}
static number times(number a, scale_t by) { /* 0 counts as 2^-127, by which every sum rounds to 0 */
  return rounded((int64_t)a.m * (int32_t)((by & 0x7fffff) | 0x800000), a.e + (int)(by >> 23) - 150);
}
/* The nearest whole number, below 2^30; ties to even. */
static int32_t whole(number x) {
  uint64_t size = x.m < 0 ? (uint64_t)-(int64_t)x.m : (uint64_t)x.m;
  if (x.e >= 0) size <<= x.e;
  else size = x.e < -25 ? 0 : without(size, -x.e);
  return x.m < 0 ? -(int32_t)size : (int32_t)size;
}
static int32_t scaled(int32_t sum, scale_t by) { return whole(times(rounded(sum, 0), by)); }

/* ---- functions: int16 in, int16 out ---- */

static int32_t clip(int32_t x) { return x < -32768 ? -32768 : x > 32767 ? 32767 : x; }
static int32_t multiply(int32_t a, int32_t b) { return (a * b + 16384) >> 15; }

#if CELL != RNN_RELU
/* sigmoid on [k, k + 1): a cubic whose coefficients are in 2^-15, constant first. */
static const int16_t cubic[64] = {@CUBIC@};

static int32_t sigmoid(int32_t p) {
  int32_t size = p < 0 ? -p : p, t, y;
  const int16_t *c;
  if (size > 32767) size = 32767;
  c = cubic + 4 * (size >> 11), t = (size & 2047) * 16;
  y = c[0] + multiply(t, c[1] + multiply(t, c[2] + multiply(t, c[3])));
  return p < 0 ? 32768 - y : y;
}
static int32_t tangent(int32_t p) { return 2 * sigmoid(clip(2 * p)) - 32768; }
#endif

/* ---- a step ---- */

/* The pre-activation of layer 0's gate row from an id, without its bias. */
static int32_t input(int id, const int8_t *embedded, uint32_t row) {
#if E
  number x = rounded(dot(w_0 + BYTES(row * WIDE_E), embedded, WIDE_E), 0);
  return whole(times(times(x, s_0[row]), s_embedding[id]));
#else
  (void)embedded;
  return scaled(weight(w_0 + BYTES((uint32_t)id * WIDE_ROWS), row), s_0[row]);
#endif
}

/* One unit of a layer, from its gates' pre-activations x (of the input, bias included) and y (of h). */
static int8_t unit(const int32_t x[G], const int32_t y[G], const layer_t *layer, int j, int16_t *carried) {
#if CELL == RNN_RELU
  int32_t h = clip(x[0] + y[0]);
  (void)layer, (void)j, (void)carried;
  h = h < 0 ? 0 : multiply(h, 128);
  return (int8_t)(h > 127 ? 127 : h);
#elif CELL == RNN_TANH
  (void)layer, (void)j, (void)carried;
  return (int8_t)multiply(tangent(clip(x[0] + y[0])), 127);
#elif CELL == GRU
  int32_t r = sigmoid(clip(x[0] + y[0])), z = sigmoid(clip(x[1] + y[1]));
  int32_t n = tangent(clip(clip(x[2]) + multiply(r, clip(y[2] + layer->bias_hn[j]))));
  int32_t c = clip(multiply(z, *carried) + multiply(32768 - z, n));
  *carried = (int16_t)c;
  return (int8_t)multiply(c, 127);
#else
  int32_t i = sigmoid(clip(x[0] + y[0])), f = sigmoid(clip(x[1] + y[1])), o = sigmoid(clip(x[3] + y[3]));
  int32_t fresh = multiply(multiply(i, tangent(clip(x[2] + y[2]))), 2048);
  int32_t c = clip(multiply(f, *carried) + fresh);
  (void)layer, (void)j;
  *carried = (int16_t)c;
  return (int8_t)multiply(multiply(o, tangent(c)), 127);
#endif
}

void MODEL_read(MODEL_state *s, int id) {
  const int from = s->half, to = from ^ 1;
#if E
  int8_t embedded[WIDE_E];
  for (uint32_t k = 0; k < WIDE_E; ++k) embedded[k] = (int8_t)weight(w_embedding + BYTES((uint32_t)id * WIDE_E), k);
#else
  const int8_t *embedded = 0;
#endif
  for (int l = 0; l < L; ++l) {
    const layer_t *layer = layers + l;
    const int8_t *h = s->h[from][l];
    for (int j = 0; j < H; ++j) {
      int32_t x[G], y[G];
      for (uint32_t g = 0; g < G; ++g) {
        uint32_t row = g * H + (uint32_t)j;
        x[g] = layer->bias[row];
        if (l) x[g] += scaled(dot(layer->w_ih + BYTES(row * WIDE_H), s->h[to][l - 1], WIDE_H), layer->s_ih[row]);
        else x[g] += input(id, embedded, row);
        y[g] = scaled(dot(layer->w_hh + BYTES(row * WIDE_H), h, WIDE_H), layer->s_hh[row]);
      }
      s->h[to][l][j] = unit(x, y, layer, j, CARRIED(s, l, j));
    }
  }
  s->half = (uint8_t)to;
}

void MODEL_begin(MODEL_state *s) {
  memset(s, 0, sizeof *s);
  MODEL_read(s, START);
}

void MODEL_logits(const MODEL_state *s, float logits[V]) {
  const int8_t *h = s->h[s->half][L - 1];
  for (int j = 0; j < V; ++j) {
    volatile float product = (float)dot(w_out + BYTES((uint32_t)j * WIDE_H), h, WIDE_H) * s_out[j];
    logits[j] = product + b_out[j];
  }
}
