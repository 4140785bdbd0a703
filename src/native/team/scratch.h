// The memory that regions compute in, kept between calls: a step of training needs the same megabytes again and again, and
// fresh ones cost a page fault for each 4 KiB.
#pragma once
#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

#include "mutex.h"

namespace elman {

constexpr std::align_val_t kLine{64};      // of the cache: memory that begins elsewhere has vectors of 64 bytes in two of them

// A vector's memory, from the beginning of a line.
template <class T>
struct WholeLines {
  using value_type = T;
  WholeLines() = default;
  template <class U> WholeLines(const WholeLines<U>&) {}
  T* allocate(std::size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), kLine)); }
  void deallocate(T* p, std::size_t) { ::operator delete(p, kLine); }
  bool operator==(const WholeLines&) const { return true; }
  bool operator!=(const WholeLines&) const { return false; }
};
using AlignedFloats = std::vector<float, WholeLines<float>>;

// Free blocks, at most kKept bytes of them. Each is in use by one region at a time, so callers that compute at the same
// time have one each.
class Shelf {
 public:
  struct Block {
    float* data = nullptr;  // 64-byte aligned
    int64_t bytes = 0;
  };
  Block take(int64_t floats);  // throws std::bad_alloc
  void give(Block block);

 private:
  static constexpr int64_t kKept = int64_t(256) << 20;
  static constexpr int kBlocks = 8;
  Mutex mutex_;
  Block blocks_[kBlocks];
  int count_ = 0;
  int64_t kept_ = 0;
};

// Behind `used` floats, `floats` more, in whole cache lines.
int64_t extend(int64_t& used, int64_t floats);

// A block for the life of this object.
class Scratch {
 public:
  Scratch(Shelf& shelf, int64_t floats) : shelf_(shelf), block_(shelf.take(floats)) {}
  ~Scratch() { shelf_.give(block_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  float* data() const { return block_.data; }

 private:
  Shelf& shelf_;
  Shelf::Block block_;
};

}  // namespace elman
