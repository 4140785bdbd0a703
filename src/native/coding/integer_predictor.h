// The integer network as a coder's predictor: the kernels of integer/, one step for all rows.
#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "../integer/packed.h"
#include "../team/pool.h"
#include "predictor.h"

namespace elman::coding {

class IntegerPredictor : public Predictor {
 public:
  explicit IntegerPredictor(std::shared_ptr<const integer::Packed> packed) : packed_(std::move(packed)) {}

  int64_t ids() const override { return network().V; }
  void begin(int64_t rows) override {
    const integer::Network& n = network();
    h_.assign(size_t(n.L * rows * n.H), 0);
    c_.assign(n.cell >= GRU ? h_.size() : 0, 0);
    logits_.resize(size_t(rows * n.V));  // `read` writes them all
    int threads = get_threads();
    void* memory = memory_.room(packed_->table().memory_of(n, rows, threads));
    rows_ = {&n, rows, threads, h_.data(), n.cell >= GRU ? c_.data() : nullptr, memory, nullptr};
  }
  void clear(int64_t row) override {
    const integer::Network& n = network();
    for (int64_t l = 0; l < n.L; ++l) {
      size_t at = size_t((l * rows_.B + row) * n.H), size = size_t(n.H);
      std::fill_n(h_.begin() + int64_t(at), size, int8_t(0));
      if (!c_.empty()) std::fill_n(c_.begin() + int64_t(at), size, int16_t(0));
    }
  }
  const float* read(const int64_t* ids) override {
    packed_->table().read(rows_, 1, ids, logits_.data(), false, nullptr, nullptr);
    return logits_.data();
  }
  size_t state_size() const override {
    const integer::Network& n = network();
    return size_t(n.L * n.H) * (n.cell >= GRU ? 3 : 1);
  }
  void save(int64_t row, uint8_t* to) const override {
    const integer::Network& n = network();
    save_row(c_, n.L, rows_.B, n.H, row, save_row(h_, n.L, rows_.B, n.H, row, to));
  }
  void load(int64_t row, const uint8_t* from) override {
    const integer::Network& n = network();
    load_row(c_, n.L, rows_.B, n.H, row, load_row(h_, n.L, rows_.B, n.H, row, from));
  }

 private:
  const integer::Network& network() const { return packed_->network(); }

  std::shared_ptr<const integer::Packed> packed_;
  std::vector<int8_t> h_;
  std::vector<int16_t> c_;
  std::vector<float> logits_;
  integer::Memory memory_;
  integer::Rows rows_{};
};

class IntegerSource : public Source {
 public:
  explicit IntegerSource(std::shared_ptr<const integer::Packed> packed) : packed_(std::move(packed)) {}
  std::unique_ptr<Predictor> open() const override { return std::make_unique<IntegerPredictor>(packed_); }

 private:
  std::shared_ptr<const integer::Packed> packed_;
};

}  // namespace elman::coding
