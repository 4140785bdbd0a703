// How floating point behaves for the thread that computes.
#pragma once
#include <cstdint>

namespace elman {

// For the life of this object the thread rounds to nearest and keeps denormals, whatever torch.set_flush_denormal said.
class FloatEnvironment {
 public:
  FloatEnvironment();
  ~FloatEnvironment();

 private:
  [[maybe_unused]] uint64_t saved_;  // of a processor that has such a register
};

}  // namespace elman
