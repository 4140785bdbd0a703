// Texts that one model reads side by side, a token each: the weights go through the processor once for all of them.
#pragma once
#include <cstdint>
#include <vector>

#include "model.h"

namespace elman::c {

// Where a model is in a text, (L, H) each; what its kind of model does not have is empty.
struct Place {
  std::vector<float> h, c;
  std::vector<int8_t> h8;
  std::vector<int16_t> c16;
};

class SideBySide {
 public:
  void open(const elman_model* model) { model_ = model; }
  Place begin() const;                 // before any token
  // Each of `before` reads its id, after which `read`, of as many, is where the model is.
  void read(const std::vector<const Place*>& before, const std::vector<int64_t>& ids, std::vector<Place>& read);
  const float* logits(size_t row) const { return logits_.data() + row * size_t(model_->V()); }

 private:
  const elman_model* model_ = nullptr;
  Place all_;                          // (L, B, H)
  std::vector<float> logits_;          // (B, V)
  integer::Memory memory_;
};

}  // namespace elman::c
