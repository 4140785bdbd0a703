#include "packed.h"

#include <cstring>

namespace elman::integer {

Packed::Packed(const Table& table, int cell, int bits, int64_t H, int64_t V, const std::vector<LayerArrays>& layers,
               const int32_t* inputs, const int8_t* w_out, const float* scale_out, const float* b_out)
    : table_(table), bits_(table.nibbles ? bits : 8) {
  int64_t G = gates_of(cell);
  for (const LayerArrays& from : layers) {
    Layer layer{};
    if (from.w_ih) layer.ih = weights(from.w_ih, from.scale_ih, G, H, H), layer.bias = by_blocks(from.bias, 1, G, H);
    layer.hh = weights(from.w_hh, from.scale_hh, G, H, H);
    if (from.bias_hn) layer.bias_hn = by_blocks(from.bias_hn, 1, 1, H);
    layers_.push_back(layer);
  }
  network_ = {cell, bits_, int64_t(layers_.size()), H, V, layers_.data(), by_blocks(inputs, V, G, H),
              weights(w_out, scale_out, V, 0, H), padded_copy(b_out, V)};
}

int64_t Packed::bytes() const {
  int64_t total = 0;
  for (const auto& each : bytes_) total += int64_t(each.size());
  return total;
}

Weights Packed::weights(const int8_t* q, const float* scale, int64_t G, int64_t H, int64_t K) {
  int64_t N = H ? G * padded(H) : padded(G);
  auto& packed = bytes_.emplace_back(size_t(N * padded(K) * bits_ / 8) + 64);
  int8_t* data = packed.data() + (64 - reinterpret_cast<uintptr_t>(packed.data()) % 64) % 64;
  int32_t* start = table_.starts ? ints_.emplace_back(size_t(N)).data() : nullptr;
  table_.pack(bits_, q, G, H, K, data, start);
  return {data, start, H ? by_blocks(scale, 1, G, H) : padded_copy(scale, G)};
}

template <class X>
const X* Packed::padded_copy(const X* from, int64_t size) {
  auto& to = made(from, padded(size));
  std::memcpy(to.data(), from, sizeof(X) * size_t(size));
  return to.data();
}

template <class X>
const X* Packed::by_blocks(const X* from, int64_t count, int64_t G, int64_t H) {
  int64_t wide = padded(H) * G;
  auto& to = made(from, count * wide);
  for (int64_t i = 0; i < count; ++i)
    for (int64_t g = 0; g < G; ++g)
      for (int64_t j = 0; j < H; ++j)
        to[size_t(i * wide + (j / kUnits * G + g) * kUnits + j % kUnits)] = from[(i * G + g) * H + j];
  return to.data();
}

}  // namespace elman::integer
