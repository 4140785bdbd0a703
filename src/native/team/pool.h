// A persistent team of threads, and the regions of code that it runs.
//
//   Region region(4);                        // at most four threads; from here region.n() of them are its own
//   Shared table = region.shared(I * N);     // memory, all of it before the first thread starts
//   Each row = region.each(N);
//   region.run([&](const Team& team) { ... team[table] ... team[row] ... team.barrier(); ... });
//
// What can fail, fails before the region runs: inside it nothing allocates and nothing throws.
#pragma once
#include <cstdint>
#include <type_traits>

#include "environment.h"

namespace elman {

int get_threads();
void set_threads(int n);  // n >= 1
void compute_alone();     // from now on the calling thread's regions are its own alone: for callers that are many

// Memory of a region by its place in it: of all threads together, or of each its own.
struct Shared { int64_t at; };
struct Each { int64_t at; };

struct Team {
  int id, n;
  float *shared = nullptr, *own = nullptr;

  void barrier() const;  // all n threads of the region
  // Always inlined, as each instruction set must keep its own copy.
  __attribute__((always_inline)) float* operator[](Shared buffer) const { return shared + buffer.at; }
  __attribute__((always_inline)) float* operator[](Each buffer) const { return own + buffer.at; }
};

class Region {
 public:
  // Fewer than `want` threads serve, down to the caller alone, when another caller has the pool or the system starts no
  // more. No result may depend on how many.
  explicit Region(int want);
  ~Region();
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  int n() const { return n_; }
  // Uninitialised, 64-byte aligned, gone when the region is. Both throw std::bad_alloc for what no machine has.
  Shared shared(int64_t floats);
  Each each(int64_t floats);

  // body(team) on each of the n threads, the caller among them as id 0. Throws std::bad_alloc before any has started.
  template <class F>
  void run(F&& body) {
    using Body = std::remove_reference_t<F>;
    start([](void* f, const Team& team) noexcept { (*static_cast<Body*>(f))(team); }, &body);
  }

 private:
  void start(void (*body)(void*, const Team&) noexcept, void* context);

  int n_ = 1;
  int64_t shared_ = 0, each_ = 0;  // floats
};

// For a region that needs no memory.
template <class F>
void parallel(int want, F&& body) {
  Region(want).run(body);
}

}  // namespace elman
