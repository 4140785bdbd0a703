#include "environment.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace elman {

#if defined(__x86_64__)
FloatEnvironment::FloatEnvironment() : saved_(_mm_getcsr()) {
  if ((saved_ & 0xffc0) != 0x1f80) _mm_setcsr(0x1f80);
}
FloatEnvironment::~FloatEnvironment() {
  if ((saved_ & 0xffc0) != 0x1f80) _mm_setcsr(unsigned(saved_));
}
#elif defined(__aarch64__)
FloatEnvironment::FloatEnvironment() {
  asm volatile("mrs %0, fpcr" : "=r"(saved_));
  if (saved_ != 0) asm volatile("msr fpcr, %0" : : "r"(uint64_t(0)));
}
FloatEnvironment::~FloatEnvironment() {
  if (saved_ != 0) asm volatile("msr fpcr, %0" : : "r"(saved_));
}
#else
FloatEnvironment::FloatEnvironment() : saved_(0) {}
FloatEnvironment::~FloatEnvironment() {}
#endif

}  // namespace elman
