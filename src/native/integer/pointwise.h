// What follows the sums: gates, states, operands. Every line is one of the definition's (elman/kernels/integer.py).
#pragma once

// sigmoid on [k, k+1) is the cubic with coefficients [.][k] in 2^-15, constant first.
constexpr int16_t kSigmoid[4][16] = {
    {16384, 23955, 28862, 31215, 32178, 32549, 32687, 32738, 32757, 32764, 32767, 32767, 32767, 32767, 32767, 32767},
    {8214, 6469, 3438, 1471, 576, 217, 80, 30, 9, 4, 0, 0, 0, 0, 0, 0},
    {-120, -1638, -1302, -637, -260, -101, -36, -15, -3, -3, 0, 0, 0, 0, 0, 0},
    {-524, 75, 216, 130, 55, 22, 7, 4, 2, 1, 0, 0, 0, 0, 0, 0},
};

// p in 2^-11 to 1 .. 2^15 - 1 in 2^-15.
inline Words sigmoid(const Cubic& cubic, Words p) {
  Words size = magnitude(larger(p, words(-32767)));
  Index at = index(right<11>(size));
  Words t = left<4>(bits_and(size, words(2047)));
  Words y = look_up(cubic, 3, at);
  y = add(look_up(cubic, 2, at), rounded(t, y));
  y = add(look_up(cubic, 1, at), rounded(t, y));
  y = add(look_up(cubic, 0, at), rounded(t, y));
  Words negative = right<15>(p);  // all ones, or zero; 2^15 - y = ~y + 1 + 2^15
  return add(sub(bits_xor(y, negative), negative), bits_and(negative, words(-32768)));
}

// 2 sigmoid(2p) - 1.
inline Words tanh(const Cubic& cubic, Words p) {
  return bits_xor(left<1>(sigmoid(cubic, add_saturated(p, p))), words(-32768));
}

inline Words narrow(Words h) { return rounded(h, words(127)); }

// One row's part of a block of 32 units. All arrays are (G, 32) of this block. O: the kind of the operands.
template <class O>
struct Block {
  int cell;
  const int32_t* x;                // the input's share of the pre-activations, or null: it comes from the sums in `ih`
  const int32_t *ih, *hh;          // sums
  const float *ih_scale, *hh_scale;
  const int32_t *bias, *bias_hn;   // bias: null with x. bias_hn (32)
  int16_t* c;                      // (32), updated; null for an RNN
  O* h;                            // (32), written
};

template <class B>
inline Wide from_input(const B& b, int64_t at) {
  return b.x ? load_wide(b.x + at) : add(scaled(load_wide(b.ih + at), b.ih_scale + at), load_wide(b.bias + at));
}
template <class B>
inline Wide from_h(const B& b, int64_t at) { return scaled(load_wide(b.hh + at), b.hh_scale + at); }
template <class B>
inline Words before(const B& b, int64_t at) { return saturate(add(from_input(b, at), from_h(b, at))); }

template <class B>
inline void pointwise(const B& b, const Cubic& cubic) {
  for (int64_t i = 0; i < kUnits; i += W) {
    Words h;
    switch (b.cell) {
      case RNN_RELU:
        h = smaller(rounded(larger(before(b, i), words(0)), words(1 << 7)), words(127));
        break;
      case RNN_TANH:
        h = narrow(tanh(cubic, before(b, i)));
        break;
      case GRU: {
        Words r = sigmoid(cubic, before(b, i)), z = sigmoid(cubic, before(b, kUnits + i));
        Words from_hn = saturate(add(from_h(b, 2 * kUnits + i), load_wide(b.bias_hn + i)));
        Words n = tanh(cubic, add_saturated(saturate(from_input(b, 2 * kUnits + i)), rounded(r, from_hn)));
        Words c = add_saturated(rounded(z, load_words(b.c + i)), rounded(sub(words(-32768), z), n));
        store_words(b.c + i, c);
        h = narrow(c);
        break;
      }
      default: {
        Words in = sigmoid(cubic, before(b, i)), forget = sigmoid(cubic, before(b, kUnits + i));
        Words g = tanh(cubic, before(b, 2 * kUnits + i)), out = sigmoid(cubic, before(b, 3 * kUnits + i));
        Words c = add_saturated(rounded(forget, load_words(b.c + i)), rounded(rounded(in, g), words(1 << 11)));
        store_words(b.c + i, c);
        h = narrow(rounded(out, tanh(cubic, c)));
      }
    }
    store_operands(b.h + i, h);
  }
}

void function(int f, const int16_t* x, int16_t* y, int64_t n) {
  const Cubic cubic = load_cubic(kSigmoid);
  for (int64_t i = 0; i < n; i += W) {
    int16_t lanes[W] = {};
    memcpy(lanes, x + i, 2 * size_t(least(W, n - i)));
    Words p = load_words(lanes);
    store_words(lanes, f ? tanh(cubic, p) : sigmoid(cubic, p));
    memcpy(y + i, lanes, 2 * size_t(least(W, n - i)));
  }
}
