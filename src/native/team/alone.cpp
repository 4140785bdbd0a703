// What pool.cpp is, in a build without threads (ELMAN_NO_THREADS): every region is its caller's alone.
#include "failures.h"
#include "pool.h"
#include "scratch.h"

namespace elman {
namespace {

Shelf& shelf() {
  static Shelf* one = new Shelf;
  return *one;
}

}  // namespace

int get_threads() { return 1; }
void set_threads(int) {}
void compute_alone() {}
void Team::barrier() const {}

Region::Region(int) {}
Region::~Region() {}
Shared Region::shared(int64_t floats) { return {extend(shared_, floats)}; }
Each Region::each(int64_t floats) { return {extend(each_, floats)}; }

void Region::start(void (*body)(void*, const Team&) noexcept, void* context) {
  Scratch memory(shelf(), shared_ + each_);
  FloatEnvironment environment;
  body(context, {0, 1, memory.data(), memory.data() + shared_});
}

}  // namespace elman
