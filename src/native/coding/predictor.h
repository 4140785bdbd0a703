// What a coder asks of a network: read one id in each row, and give the logits of the next. A float network is one; the
// interface does not say how logits come about, only that they are the same everywhere.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

namespace elman::coding {

class Predictor {
 public:
  virtual ~Predictor() = default;
  virtual int64_t ids() const = 0;                     // of the vocabulary
  virtual void begin(int64_t rows) = 0;                // zero state in each
  virtual void clear(int64_t row) = 0;                 // zero state in one
  virtual const float* read(const int64_t* ids) = 0;   // (rows) -> logits (rows, ids), valid until the next call
  // Of one that knows how likely each byte is: after `read`, whose result means nothing then, the trees (rows, 512) as in
  // frequencies.h.
  virtual const uint32_t* trees() const { return nullptr; }

  // A row's state as bytes, which any row may begin with.
  virtual size_t state_size() const { return 0; }
  virtual void save(int64_t, uint8_t*) const {}
  virtual void load(int64_t, const uint8_t*) {}
};

// Weights, from which any number of threads read each with its own state.
class Source {
 public:
  virtual ~Source() = default;
  virtual std::unique_ptr<Predictor> open() const = 0;
};

// One row of states (L, rows, H) as L H numbers.
template <class T>
uint8_t* save_row(const std::vector<T>& states, int64_t layers, int64_t rows, int64_t H, int64_t row, uint8_t* to) {
  for (int64_t l = 0; l < layers && !states.empty(); ++l, to += size_t(H) * sizeof(T))
    std::memcpy(to, &states[size_t((l * rows + row) * H)], size_t(H) * sizeof(T));
  return to;
}
template <class T>
const uint8_t* load_row(std::vector<T>& states, int64_t layers, int64_t rows, int64_t H, int64_t row, const uint8_t* from) {
  for (int64_t l = 0; l < layers && !states.empty(); ++l, from += size_t(H) * sizeof(T))
    std::memcpy(&states[size_t((l * rows + row) * H)], from, size_t(H) * sizeof(T));
  return from;
}

}  // namespace elman::coding
