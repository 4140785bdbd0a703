// Logistic mixing: st = sum of w x over the inputs x, each in the logistic domain; weights move by the error of what they
// predicted. And a table that corrects a probability by what came of it before.
#pragma once
#include <cstdint>
#include <vector>

#include "contexts.h"
#include "tables.h"

namespace elman::coding {

constexpr int kMostInputs = 2 * kMostLanes + 8;

// Weight sets of `inputs` weights (a multiple of 8), in 1/65536.
class Mixer {
 public:
  Mixer(int inputs, int sets, int32_t weight) : inputs_(inputs), weights_(size_t(inputs) * size_t(sets), weight) {}

  int sets() const { return int(weights_.size()) / inputs_; }
  int32_t* set(int index) { return &weights_[size_t(index) * size_t(inputs_)]; }
  const int32_t* set(int index) const { return &weights_[size_t(index) * size_t(inputs_)]; }

 private:
  int inputs_;
  std::vector<int32_t, Huge<int32_t>> weights_;  // each set from the beginning of a vector
};

// |w| < 2^19 and |x| < 2^11, so no product overflows; each is cut to a 256th, so neither does their sum.
inline int32_t dot(const int32_t* w, const int32_t* x, int n) {
  int32_t sum = 0;
  for (int i = 0; i < n; ++i) sum += (w[i] * x[i]) >> 8;
  return sum >> 8;
}

constexpr int32_t kWeightLimit = (1 << 19) - 1;

// error: 65536 (bit - p) times a rate below 16.
inline void train(int32_t* w, const int32_t* x, int n, int32_t error) {
  for (int i = 0; i < n; ++i) {
    int32_t next = w[i] + ((x[i] * error + (1 << 17)) >> 18);
    next = next > kWeightLimit ? kWeightLimit : next;
    w[i] = next < -kWeightLimit ? -kWeightLimit : next;
  }
}

// For each context 33 points along the logistic domain, between which it interpolates.
class Correction {
 public:
  static constexpr int kPoints = 33, kStep = 128;

  explicit Correction(int contexts) : points_(size_t(contexts) * kPoints) {
    if (!contexts) return;
    const Tables& t = tables();
    for (size_t i = 0; i < kPoints; ++i) points_[i] = uint16_t(squash(t, (int32_t(i) - kPoints / 2) * kStep));
    for (size_t i = kPoints; i < points_.size(); ++i) points_[i] = points_[i - kPoints];
  }
  // Of one context, or of several that follow each other.
  void prefetch(int context, int count = 1) const {
    const uint16_t* points = &points_[size_t(context) * kPoints];
    for (int i = 0; i < count; ++i) fetch(points + i * kPoints);
    fetch(points + count * kPoints - 1);
  }
  struct Place {
    size_t at;
    uint32_t weight;                       // of the point above, in 1/128
  };
  Place find(int context, int32_t st) const {
    auto x = uint32_t(clamp(st, -kStretchLimit, kStretchLimit) + kPoints / 2 * kStep);
    return {size_t(context) * kPoints + x / kStep, x % kStep};
  }
  uint32_t p16(const Place& place) const {
    return (points_[place.at] * (kStep - place.weight) + points_[place.at + 1] * place.weight) / kStep;
  }
  void see(const Place& place, int bit, int shift) {
    uint16_t& nearer = points_[place.at + (place.weight >= kStep / 2)];
    int32_t p = nearer;
    nearer = uint16_t(p + (((bit ? 65535 : 0) - p) >> shift));
  }

 private:
  std::vector<uint16_t, Huge<uint16_t>> points_;
};

}  // namespace elman::coding
