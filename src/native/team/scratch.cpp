#include "scratch.h"

#include <cstring>

#include "failures.h"

namespace elman {
namespace {

float* allocate(int64_t bytes) { return static_cast<float*>(::operator new(size_t(bytes), kLine)); }
void release(float* data) { ::operator delete(data, kLine); }

}  // namespace

int64_t extend(int64_t& used, int64_t floats) {
  constexpr int64_t most = int64_t(1) << 48;  // no machine has them; and sums of a few of these stay far from 2^63
  if (floats < 0 || floats > most || used > most) out_of_memory();
  int64_t at = used;
  used += (floats + 15) / 16 * 16;
  return at;
}

Shelf::Block Shelf::take(int64_t floats) {
  if (floats == 0) return {};
  int64_t bytes = floats * 4;
  Block block, outgrown;
  {
    Lock lock(mutex_);
    // The smallest that is large enough; else the largest makes room for its successor, or sizes that grow would pile up.
    int best = -1;
    for (int i = 0; i < count_; ++i) {
      bool fits = blocks_[i].bytes >= bytes, better = best < 0 || (blocks_[best].bytes >= bytes) < fits;
      if (!better && fits == (blocks_[best].bytes >= bytes))
        better = fits ? blocks_[i].bytes < blocks_[best].bytes : blocks_[i].bytes > blocks_[best].bytes;
      if (better) best = i;
    }
    if (best >= 0) {
      (blocks_[best].bytes >= bytes ? block : outgrown) = blocks_[best];
      kept_ -= blocks_[best].bytes;
      blocks_[best] = blocks_[--count_];
    }
  }
  if (outgrown.data) release(outgrown.data);
  if (!block.data) block = {allocate(bytes), bytes};
#if defined(__SANITIZE_ADDRESS__)
  std::memset(block.data, 0xff, size_t(block.bytes));  // NaNs: what is read before it is written shows in the digests
#endif
  return block;
}

void Shelf::give(Block block) {
  if (!block.data) return;
  {
    Lock lock(mutex_);
    if (count_ < kBlocks && kept_ + block.bytes <= kKept) {
      blocks_[count_++] = block;
      kept_ += block.bytes;
      return;
    }
  }
  release(block.data);
}

}  // namespace elman
