// What a coder asks of a network: read one id in each row, and give the logits of the next. A float network is one; the
// interface does not say how logits come about, only that they are the same everywhere.
#pragma once
#include <cstdint>
#include <algorithm>
#include <memory>
#include <vector>

#include "../kernels.h"
#include "../step.h"

namespace elman::coding {

class Predictor {
 public:
  virtual ~Predictor() = default;
  virtual int64_t ids() const = 0;                     // of the vocabulary
  virtual void begin(int64_t rows) = 0;                // zero state in each
  virtual void clear(int64_t row) = 0;                 // zero state in one
  virtual const float* read(const int64_t* ids) = 0;   // (rows) -> logits (rows, ids), valid until the next call
};

// Weights, from which any number of threads read with a state of their own each.
class Source {
 public:
  virtual ~Source() = default;
  virtual std::unique_ptr<Predictor> open() const = 0;
};

// A float network, packed.
class FloatPredictor : public Predictor {
 public:
  explicit FloatPredictor(const Packed& packed) : packed_(packed) {}

  int64_t ids() const override { return packed_.V; }
  void begin(int64_t rows) override {
    const Packed& p = packed_;
    h_.assign(size_t(p.L * rows * p.H), 0.0f);
    c_.assign(p.cell == LSTM ? h_.size() : 0, 0.0f);
    logits_.assign(size_t(rows * p.V), 0.0f);
    decoder_ = {p.cell, p.L, rows, p.H, p.V, p.layers.data(), p.w_out, p.b_out, h_.data(),
                p.cell == LSTM ? c_.data() : nullptr, logits_.data()};
  }
  void clear(int64_t row) override {
    const Packed& p = packed_;
    for (std::vector<float>* state : {&h_, &c_})
      for (int64_t l = 0; l < p.L && !state->empty(); ++l)
        std::fill_n(state->begin() + (l * decoder_.B + row) * p.H, p.H, 0.0f);
  }
  const float* read(const int64_t* ids) override {
    kernels().decoder_read(decoder_, 1, ids);
    return logits_.data();
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
