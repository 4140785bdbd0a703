#include "container.h"

#include <cmath>
#include <cstring>

namespace elman::c {
namespace {

constexpr int64_t kMost = 65536;           // units, tokens of an integer sum: 127 * 127 * kMost fits an int32
constexpr int64_t kVocabulary = 1 << 24, kLayers = 1 << 10;
constexpr double kLimit = 1 << 29;         // three such numbers can be added in an int32
constexpr char kMagic[] = "ELMANMDL";

// What is left of the bytes. Once something is missing, all that follows is.
class Bytes {
 public:
  Bytes(const uint8_t* at, int64_t left) : at_(at), left_(left) {}
  bool whole() const { return whole_; }
  int64_t left() const { return left_; }
  // `count` elements and what fills them up to a multiple of 8.
  template <class X>
  std::vector<X> take(int64_t count, int64_t filled = 8) {
    auto bytes = int64_t(sizeof(X));
    if (!whole_ || count > left_ / bytes) return whole_ = false, std::vector<X>();
    bytes *= count;
    std::vector<X> to(static_cast<size_t>(count));
    if (bytes) std::memcpy(to.data(), at_, size_t(bytes));
    int64_t all = bytes + (filled - bytes % filled) % filled;
    if (all > left_) return whole_ = false, std::vector<X>();
    at_ += all, left_ -= all;
    return to;
  }

 private:
  const uint8_t* at_;
  int64_t left_;
  bool whole_ = true;
};

const char* wrong_with(const Header& h) {
  if (h.version != 1) return "the container is of another version";
  if (h.cell < RNN_RELU || h.cell > LSTM) return "the container's cell is unknown";
  if (h.bits != 32 && h.bits != 8 && h.bits != 6 && h.bits != 5 && h.bits != 4) return "the container's bits are unknown";
  if (h.L < 1 || h.L > kLayers || h.H < 1 || h.H > kMost || h.V < 1 || h.V > kVocabulary || h.E < 0 || h.E > kMost)
    return "a size of the container is out of range";
  if (h.bias < 0 || h.bias > 3 || h.start < 0 || h.start >= h.V || h.tokens < 0 || h.tokens > 2 || h.normalisation < 0 ||
      h.normalisation > 1 || h.records < 0 || h.records > 1 || h.token_bytes < 0)
    return "a setting of the container is out of range";
  return nullptr;
}

// Weights as in the model file: offset to begin at 0, highest bit first.
std::vector<int8_t> unpacked(const std::vector<uint8_t>& from, int bits, int64_t count) {
  std::vector<int8_t> to(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    int64_t bit = i * bits;
    int two = from[size_t(bit / 8)] << 8;
    if (bit % 8 + bits > 8) two |= from[size_t(bit / 8 + 1)];
    to[size_t(i)] = int8_t((two >> (16 - bits - bit % 8) & ((1 << bits) - 1)) - (1 << (bits - 1)));
  }
  return to;
}

Matrix matrix(Bytes& bytes, int bits, int64_t N, int64_t K) {
  Matrix m;
  if (K > (int64_t(1) << 40) / N) return bytes.take<int8_t>(int64_t(1) << 60), m;
  if (bits == 8) m.q = bytes.take<int8_t>(N * K);
  else if (auto packed = bytes.take<uint8_t>((N * K * bits + 7) / 8); bytes.whole()) m.q = unpacked(packed, bits, N * K);
  m.scale = bytes.take<float>(N);
  return m;
}

// Each sum times its scale stays below kLimit, with operands up to `largest`; or, where it need not be a whole number, finite.
bool sound(const Matrix& m, double largest, bool whole) {
  int64_t N = int64_t(m.scale.size()), K = N ? int64_t(m.q.size()) / N : 0;
  for (int64_t n = 0; n < N; ++n) {
    float scale = m.scale[size_t(n)];
    int64_t total = 0;
    for (int64_t k = 0; k < K; ++k) {
      int weight = m.q[size_t(n * K + k)];
      if (weight == -128) return false;
      total += weight < 0 ? -weight : weight;
    }
    if (!(scale >= 0.0f) || !std::isfinite(scale) || (whole && !(double(total) * largest * double(scale) < kLimit))) return false;
  }
  return true;
}
bool sound(const std::vector<int32_t>& bias) {
  for (int32_t each : bias)
    if (!(each > -kLimit && each < kLimit)) return false;
  return true;
}
bool finite(const std::vector<float>& all) {
  for (float each : all)
    if (!std::isfinite(each)) return false;
  return true;
}

// x rounded to a whole number, ties to even; |x| < kLimit.
int32_t nearest(float x) { return int32_t(std::nearbyint(x)); }

// Layer 0's pre-activations from each id, bias included, as `table` of kernels/integer.py; false where one is too large.
bool fill_inputs(Container& c, const Matrix& embedding, const Matrix& ih) {
  int64_t V = c.header.V, E = c.header.E, N = gates_of(c.header.cell) * c.header.H;
  const std::vector<int32_t>& bias = c.layers[0].bias;
  c.inputs.resize(size_t(V * N));
  for (int64_t v = 0; v < V; ++v)
    for (int64_t n = 0; n < N; ++n) {
      float x;
      if (E) {
        int32_t total = 0;
        for (int64_t k = 0; k < E; ++k) total += embedding.q[size_t(v * E + k)] * ih.q[size_t(n * E + k)];
        volatile float once = float(total) * ih.scale[size_t(n)];
        x = once * embedding.scale[size_t(v)];
      } else {
        x = float(ih.q[size_t(n * V + v)]) * ih.scale[size_t(n)];
      }
      if (!(std::fabs(x) + std::fabs(double(bias[size_t(n)])) < kLimit)) return false;
      c.inputs[size_t(v * N + n)] = nearest(x) + bias[size_t(n)];
    }
  return true;
}

const char* read_integers(Bytes& bytes, Container& c) {
  const Header& h = c.header;
  constexpr const char* kLarge = "a weight, a scale or a bias of the container is too large or not a number";
  int64_t N = gates_of(h.cell) * int64_t(h.H);
  Matrix embedding, first;
  if (h.E) embedding = matrix(bytes, h.bits, h.V, h.E);
  for (int l = 0; l < h.L && bytes.whole(); ++l) {
    Container::Layer& layer = c.layers.emplace_back();
    Matrix ih = matrix(bytes, h.bits, N, l ? h.H : h.E ? h.E : h.V);
    layer.hh = matrix(bytes, h.bits, N, h.H);
    layer.bias = bytes.take<int32_t>(N);
    if (h.cell == GRU) layer.bias_hn = bytes.take<int32_t>(h.H);
    if (!bytes.whole()) break;
    if (!sound(ih, 127.0, l > 0) || !sound(layer.hh, 127.0, true) || !sound(layer.bias) || !sound(layer.bias_hn)) return kLarge;
    (l ? layer.ih : first) = std::move(ih);
  }
  c.output = matrix(bytes, h.bits, h.V, h.H);
  c.output_bias = bytes.take<float>(h.V);
  if (!bytes.whole()) return "the container is cut off";
  if (!sound(embedding, 127.0, false) || !sound(c.output, 127.0, false) || !finite(c.output_bias)) return kLarge;
  return fill_inputs(c, embedding, first) ? nullptr : kLarge;
}

const char* read_floats([[maybe_unused]] Bytes& bytes, [[maybe_unused]] Container& c) {
#if defined(ELMAN_INTEGERS_ONLY)
  return "this module computes with quantised models alone";
#else
  for (int64_t size : c.model().sizes()) {
    c.weights.push_back(bytes.take<float>(size));
    if (!bytes.whole()) return "the container is cut off";
    if (!finite(c.weights.back())) return "a weight of the container is not a number";
  }
  return nullptr;
#endif
}

}  // namespace

Model Container::model() {
  // Where the weights are not read yet, what there will be is any address but null.
  static float there;
  Model m{header.cell, header.L, header.V, header.H, {}, &there, header.bias & 2 ? &there : nullptr, header.E, header.E ? &there : nullptr};
  float* bias = header.bias & 1 ? &there : nullptr;
  m.layers.assign(size_t(header.L), LayerWeights{&there, &there, bias, bias});
  if (weights.empty()) return m;
  size_t at = 0;
  auto next = [&](float*& to) {
    if (to) to = weights[at++].data();
  };
  next(m.embedding);
  for (LayerWeights& l : m.layers) next(l.w_ih), next(l.w_hh), next(l.b_ih), next(l.b_hh);
  next(m.w_out), next(m.b_out);
  return m;
}

std::string read(const uint8_t* from, int64_t size, Container& to) {
  constexpr int64_t kHead = 8 + int64_t(sizeof(Header));
  if (!from || size < kHead || std::memcmp(from, kMagic, 8)) return "this is no container of Elman's";
  std::memcpy(&to.header, from + 8, sizeof(Header));
  if (const char* wrong = wrong_with(to.header)) return wrong;
  Bytes bytes(from + kHead, size - kHead);
  const Header& h = to.header;
  to.token_at = bytes.take<uint32_t>(h.V + 1, 1);
  to.token_bytes = bytes.take<char>(h.token_bytes, 1);
  if (int64_t used = 4 * (int64_t(h.V) + 1) + h.token_bytes; used % 8) bytes.take<char>(8 - used % 8, 1);
  if (!bytes.whole()) return "the container is cut off";
  for (int v = 0; v < h.V; ++v)
    if (to.token_at[size_t(v)] > to.token_at[size_t(v) + 1]) return "the container's tokens are out of order";
  if (to.token_at[0] != 0 || to.token_at[size_t(h.V)] != uint32_t(h.token_bytes)) return "the container's tokens are out of order";
  // Sizes are bounded by the bytes that are there before anything of their size is made.
  if (!to.is_float() && int64_t(h.V) * gates_of(h.cell) * h.H > (int64_t(1) << 28)) return "a size of the container is out of range";
  const char* wrong = to.is_float() ? read_floats(bytes, to) : read_integers(bytes, to);
  if (wrong) return wrong;
  return bytes.left() ? "the container is longer than its arrays" : "";
}

int64_t write(const Container& from, uint8_t* to, int64_t room) {
  int64_t size = 0;
  auto put = [&](const void* what, size_t bytes) {
    if (size + int64_t(bytes) <= room && bytes) std::memcpy(to + size, what, bytes);
    size += int64_t(bytes);
  };
  auto fill = [&] { put("\0\0\0\0\0\0", size_t(-size & 7)); };
  put(kMagic, 8), put(&from.header, sizeof(Header));
  put(from.token_at.data(), from.token_at.size() * 4), put(from.token_bytes.data(), from.token_bytes.size()), fill();
  for (const std::vector<float>& each : from.weights) put(each.data(), each.size() * 4), fill();
  return size;
}

}  // namespace elman::c
