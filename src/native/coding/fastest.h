// Runs a function with the stages, and compiled for the instructions, that suit the processor at hand. Integers have one
// result, whatever computes it.
#pragma once
#include <atomic>

#include "../team/processor.h"
#include "frequencies.h"
#include "predictor.h"
#include "stages.h"
#include "stages_avx2.h"

namespace elman::coding {

inline std::atomic<bool> only_plain{false};  // tests compare

#if defined(ELMAN_CODING_AVX2)
inline bool has_avx2() {
  const Processor& has = processor();
  return has.avx2 && has.bmi && has.bmi2;
}
// `flatten` draws all that f calls into this function, and so into its instruction set; nothing else is compiled for it, so
// that the linker cannot share code for newer processors.
template <class Stages, class F>
__attribute__((flatten, target("avx2,bmi,bmi2"))) void run_avx2(F& f) {
  f(Stages());
}
#endif

template <class F>
void fastest([[maybe_unused]] const Level& level, F&& f) {
#if defined(ELMAN_CODING_AVX2)
  if (has_avx2() && !only_plain) {
    if (lanes_of(level) == 8) return run_avx2<Avx2<8>>(f);
    return run_avx2<Avx2<16>>(f);
  }
#endif
  f(Plain());
}

// `fill_tree` by these stages.
template <class Stages>
inline void tree_of(const float* logits, int64_t ids, const int16_t* of_byte, uint32_t* tree) {
#if defined(ELMAN_CODING_AVX2)
  if constexpr (Stages::kLanes > 0)
    if (!of_byte && ids % 8 == 0) return fill_tree_avx2(logits, ids, tree);
#endif
  fill_tree(logits, ids, of_byte, tree);
}

// What a network said of the next byte of a row, in `room` (512) or where it lies.
template <class Stages>
inline const uint32_t* tree_of_row(const Predictor& network, const float* logits, int64_t row, const int16_t* of_byte, uint32_t* room) {
  if (const uint32_t* trees = network.trees()) return trees + row * 512;
  tree_of<Stages>(logits + row * network.ids(), network.ids(), of_byte, room);
  return room;
}

}  // namespace elman::coding
