// What a coder asks of a network: read one id in each row, and give the logits of the next. A float network is one; the
// interface does not say how logits come about, only that they are the same everywhere.
#pragma once
#include <cstdint>
#include <memory>

namespace elman::coding {

class Predictor {
 public:
  virtual ~Predictor() = default;
  virtual int64_t ids() const = 0;                     // of the vocabulary
  virtual void begin(int64_t rows) = 0;                // zero state in each
  virtual void clear(int64_t row) = 0;                 // zero state in one
  virtual const float* read(const int64_t* ids) = 0;   // (rows) -> logits (rows, ids), valid until the next call
};

// Weights, from which any number of threads read each with its own state.
class Source {
 public:
  virtual ~Source() = default;
  virtual std::unique_ptr<Predictor> open() const = 0;
};

}  // namespace elman::coding
