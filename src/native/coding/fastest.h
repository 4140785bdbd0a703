// Runs a function compiled for the processor at hand. Integers have one result, whatever instructions compute it.
#pragma once

namespace elman::coding {

#if defined(__x86_64__) && defined(__GNUC__)
// `flatten` draws all that f calls into this function, and so into its instruction set; nothing else is compiled for it, so
// that the linker cannot share code for newer processors.
template <class F>
__attribute__((flatten, target("avx2,bmi,bmi2"))) void run_avx2(F& f) {
  f();
}
template <class F>
void fastest(F&& f) {
  static const bool has = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  if (has) return run_avx2(f);
  f();
}
#else
template <class F>
void fastest(F&& f) {
  f();
}
#endif

}  // namespace elman::coding
