// A persistent team of threads. Waiting is bounded: spin for a moment, then sleep, so that a busy neighbour on the same
// cores costs time in proportion and no more.
#pragma once
#include <cstdint>

namespace elman {

struct Team {
  int id, n;
  void barrier() const;  // all n threads of the region
};

int get_threads();
void set_threads(int n);  // n >= 1

// Run fn(context, team) on up to `want` threads, the caller among them as id 0. Fewer serve, down to one, when another
// caller has the pool; no result may depend on how many.
void run_team(int want, void (*fn)(void*, const Team&), void* context);

template <class F>
void parallel(int want, F&& body) {
  run_team(want, [](void* f, const Team& team) { (*static_cast<F*>(f))(team); }, &body);
}

// Scratch memory of the calling thread, 64-byte aligned, kept between calls. `slot` names one buffer; it stays valid
// until the same thread asks for the same slot again.
enum Slot : int { PACK_A, PACK_B, WEIGHTS, WEIGHTS2, TABLE, PRE, CARRY, CARRY2, ROWS, LOGITS, ORDER, SLOTS };
float* scratch(Slot slot, int64_t floats);

// For the life of this object the thread rounds to nearest and keeps denormals, whatever torch.set_flush_denormal said.
class FloatEnvironment {
 public:
  FloatEnvironment();
  ~FloatEnvironment();

 private:
  uint64_t saved_;
};

}  // namespace elman
