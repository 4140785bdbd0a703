// The float network as a coder's predictor: `decoder_read`, one step for all rows.
#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "../float/kernels.h"
#include "../float/model.h"
#include "predictor.h"

namespace elman::coding {

// A float network, packed.
class FloatPredictor : public Predictor {
 public:
  explicit FloatPredictor(const Packed& packed) : packed_(packed) {}

  int64_t ids() const override { return packed_.V; }
  void begin(int64_t rows) override {
    const Packed& p = packed_;
    h_.assign(size_t(p.L * rows * p.H), 0.0f);
    c_.assign(p.cell == LSTM ? h_.size() : 0, 0.0f);
    logits_.resize(size_t(rows * p.V));  // `read` writes them all
    decoder_ = {p.cell, p.L, rows, p.H, p.V, p.layers.data(), p.w_out, p.b_out, h_.data(),
                p.cell == LSTM ? c_.data() : nullptr, logits_.data(), p.E, p.embedding};
  }
  void clear(int64_t row) override {
    const Packed& p = packed_;
    for (std::vector<float>* state : {&h_, &c_})
      for (int64_t l = 0; l < p.L && !state->empty(); ++l)
        std::fill_n(state->begin() + (l * decoder_.B + row) * p.H, p.H, 0.0f);
  }
  const float* read(const int64_t* ids) override {
    kernels().decoder_read(decoder_, 1, ids);
    decoder_.last_first = !decoder_.last_first;
    return logits_.data();
  }
  size_t state_size() const override { return size_t(packed_.L * packed_.H) * sizeof(float) * (packed_.cell == LSTM ? 2 : 1); }
  void save(int64_t row, uint8_t* to) const override {
    const Packed& p = packed_;
    save_row(c_, p.L, decoder_.B, p.H, row, save_row(h_, p.L, decoder_.B, p.H, row, to));
  }
  void load(int64_t row, const uint8_t* from) override {
    const Packed& p = packed_;
    load_row(c_, p.L, decoder_.B, p.H, row, load_row(h_, p.L, decoder_.B, p.H, row, from));
  }

 private:
  const Packed& packed_;
  std::vector<float> h_, c_, logits_;
  Decoder decoder_{};
};

class FloatSource : public Source {
 public:
  explicit FloatSource(Packed packed) : packed_(std::move(packed)) {}
  std::unique_ptr<Predictor> open() const override { return std::make_unique<FloatPredictor>(packed_); }

 private:
  Packed packed_;
};

}  // namespace elman::coding
