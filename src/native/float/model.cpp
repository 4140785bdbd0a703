#include "model.h"

#include <cstring>

namespace elman {

std::vector<float*> Model::weights() const {
  std::vector<float*> all;
  if (embedding) all.push_back(embedding);
  for (const LayerWeights& w : layers)
    for (float* p : {w.w_ih, w.w_hh, w.b_ih, w.b_hh})
      if (p) all.push_back(p);
  all.push_back(w_out);
  if (b_out) all.push_back(b_out);
  return all;
}

std::vector<int64_t> Model::sizes() const {
  std::vector<int64_t> all;
  int64_t N = gates_of(cell) * H;
  if (embedding) all.push_back(V * E);
  for (int64_t l = 0; l < L; ++l) {
    all.push_back(N * width(l));
    all.push_back(N * H);
    if (layers[size_t(l)].b_ih) all.insert(all.end(), {N, N});
  }
  all.push_back(V * H);
  if (b_out) all.push_back(V);
  return all;
}

int64_t Model::columns(int64_t weight) const {
  if (weight < first_of(0)) return E;
  weight -= first_of(0);
  int64_t layer = weight / weights_per_layer(), part = weight % weights_per_layer();
  if (layer == L) return part == 0 ? H : 1;
  return part == 0 ? width(layer) : part == 1 ? H : 1;
}

void run_layers(const Model& model, int64_t T, int64_t B, const int64_t* ids, float* h, float* c, float* hidden,
                float* cells) {
  int64_t H = model.H, size = B * H;
  bool lstm = model.cell == LSTM;
  auto floats = [](int64_t count) { return AlignedFloats(size_t(count)); };
  AlignedFloats below = floats(model.L > 1 ? T * size : 0), before = floats(size), before_c = floats(lstm ? size : 0);
  // Layers write by turns to `below` and `hidden`, so the last one's output ends in `hidden`.
  float* outputs[] = {hidden, below.data()};
  AlignedFloats embedded = floats(T * B * model.E);
  const float* x = model.embedding ? embedded.data() : nullptr;
  if (x) kernels().embed({T, B, model.V, model.E, ids, model.embedding, embedded.data()});
  for (int64_t l = 0; l < model.L; ++l) {
    const LayerWeights& w = model.layers[size_t(l)];
    float *out = outputs[(model.L - 1 - l) % 2], *hn = h + l * size, *cn = lstm ? c + l * size : nullptr;
    if (size) std::memcpy(before.data(), hn, size_t(size) * 4);
    if (lstm && size) std::memcpy(before_c.data(), cn, size_t(size) * 4);
    kernels().forward({model.cell, T, B, model.width(l), H, x ? nullptr : ids, x, before.data(),
                       lstm ? before_c.data() : nullptr, w.w_ih, w.w_hh, w.b_ih, w.b_hh, out, hn, cn, nullptr,
                       l + 1 == model.L ? cells : nullptr});
    x = out;
  }
}

Packed pack(const Model& model) {
  const Table& k = kernels();
  int64_t H = model.H, V = model.V, N = gates_of(model.cell) * H;
  Packed packed{model.cell, model.L, H, V, model.E, {}, nullptr, nullptr, nullptr, {}};
  auto memory = [&](int64_t count) { return packed.memory.emplace_back(size_t(count)).data(); };
  for (int64_t l = 0; l < model.L; ++l) {
    const LayerWeights& w = model.layers[size_t(l)];
    int64_t I = model.width(l);
    float* hh = memory(packed_hh_size(model.cell, H));
    bool by_id = l == 0 && !model.embedding;
    float *input = memory(by_id ? I * N : packed_size(N, I)), *bias = memory(N), *b_hn = nullptr;
    k.decoder_pack(model.cell, I, H, by_id, w.w_ih, w.w_hh, w.b_ih, w.b_hh, hh, input, bias);
    if (model.cell == GRU && w.b_hh) {
      b_hn = memory(H);
      std::memcpy(b_hn, w.b_hh + 2 * H, size_t(H) * 4);
    }
    packed.layers.push_back({hh, b_hn, input, bias});
  }
  if (model.embedding) {
    float* embedding = memory(V * model.E);
    std::memcpy(embedding, model.embedding, size_t(V * model.E) * 4);
    packed.embedding = embedding;
  }
  float* w_out = memory(packed_size(V, H));
  k.decoder_pack_output(V, H, model.w_out, w_out);
  packed.w_out = w_out;
  if (model.b_out) {
    float* b_out = memory(V);
    std::memcpy(b_out, model.b_out, size_t(V) * 4);
    packed.b_out = b_out;
  }
  return packed;
}

uint64_t fingerprint(const Model& model) {
  constexpr uint64_t kPrime = 0x9E3779B97F4A7C15u;
  uint64_t lanes[8] = {1, 2, 3, 4, 5, 6, 7, 8};  // eight, so one multiplication need not wait for another
  auto mix = [](uint64_t lane, uint64_t word) {
    lane = (lane ^ word) * kPrime;
    return lane ^ (lane >> 29);
  };
  std::vector<float*> weights = model.weights();
  std::vector<int64_t> sizes = model.sizes();
  for (size_t i = 0; i < weights.size(); ++i) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(weights[i]);
    int64_t count = sizes[i] * 4, at = 0;
    for (; at + 64 <= count; at += 64)
      for (int l = 0; l < 8; ++l) {
        uint64_t word;
        std::memcpy(&word, bytes + at + 8 * l, 8);
        lanes[l] = mix(lanes[l], word);
      }
    for (; at < count; at += 4) {
      uint32_t word;
      std::memcpy(&word, bytes + at, 4);
      lanes[at / 4 % 8] = mix(lanes[at / 4 % 8], word);
    }
  }
  uint64_t result = 0;
  for (uint64_t lane : lanes) result = mix(result, lane);
  return result;
}

}  // namespace elman
