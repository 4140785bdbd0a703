// A network's weights in the order that an instruction set likes: a copy, made once. It knows nothing of Python.
#pragma once
#include <stddef.h>
#include <memory>
#include <new>
#include <vector>

#include "integer.h"

namespace elman::integer {

// As in src/elman/kernels/integer.py, (G, H) fastest; what layer 0 or the cell does not have is null.
struct LayerArrays {
  const int8_t* w_ih;              // (GH, H); layer 0: null, with scale_ih and bias
  const float* scale_ih;           // (GH)
  const int8_t* w_hh;              // (GH, H)
  const float* scale_hh;           // (GH)
  const int32_t *bias, *bias_hn;   // (GH), (H)
};

class Packed {
 public:
  // bits: 8; or 4, where every weight is in -8 .. 7, and which `table` may keep in 8 all the same. inputs (V, GH), w_out (V, H),
  // scale_out (V), b_out (V).
  Packed(const Table& table, int cell, int bits, int64_t H, int64_t V, const std::vector<LayerArrays>& layers,
         const int32_t* inputs, const int8_t* w_out, const float* scale_out, const float* b_out);
  Packed(const Packed&) = delete;
  const Network& network() const { return network_; }
  const Table& table() const { return table_; }
  int64_t bytes() const;           // of the weights

 private:
  Weights weights(const int8_t* q, const float* scale, int64_t G, int64_t H, int64_t K);
  std::vector<int32_t>& made(const int32_t*, int64_t size) { return ints_.emplace_back(size_t(size)); }
  std::vector<float>& made(const float*, int64_t size) { return floats_.emplace_back(size_t(size)); }
  template <class X>
  const X* padded_copy(const X* from, int64_t size);
  template <class X>
  const X* by_blocks(const X* from, int64_t count, int64_t G, int64_t H);  // (count, G, H) to (count, P, G, 32)

  const Table& table_;
  int bits_;
  std::vector<std::vector<int8_t>> bytes_;
  std::vector<std::vector<int32_t>> ints_;
  std::vector<std::vector<float>> floats_;
  std::vector<Layer> layers_;
  Network network_{};
};

// Aligned memory that grows.
class Memory {
 public:
  void* room(int64_t bytes) {
    if (bytes > size_) {
      data_.reset(::operator new(size_t(bytes), std::align_val_t{64}));
      size_ = bytes;
    }
    return data_.get();
  }

 private:
  struct Free {
    void operator()(void* p) const { ::operator delete(p, std::align_val_t{64}); }
  };
  std::unique_ptr<void, Free> data_;
  int64_t size_ = 0;
};

// A network that several readers share: Python's own class of it, and the coder.
struct Shared {
  std::shared_ptr<const Packed> packed;
};

}  // namespace elman::integer
