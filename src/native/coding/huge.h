// Memory of tables that are read at random places: in pages of 2 MiB where the system has them, since in pages of 4 KiB most
// reads miss the TLB, which costs more than the arithmetic (1.3 to 1.45 times the time of all coding). A thread keeps the last
// few tables that it freed for its next block: fresh pages cost a fault each.
#pragma once
#include <cstddef>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace elman::coding {

// Asks for a cache line of a table early. A function that does nothing but __builtin_prefetch has no effect that GCC knows of,
// so it removes its calls; the empty asm is one.
inline void fetch(const void* line) {
  __builtin_prefetch(line);
  asm volatile("" : : "r"(line));
}

constexpr size_t kHugePage = size_t(2) << 20;
constexpr std::align_val_t kAligned{kHugePage};   // std::aligned_alloc is not on Windows

class KeptTables {
 public:
  KeptTables() = default;
  KeptTables(const KeptTables&) = delete;
  ~KeptTables() { clear(); }

  // bytes: a multiple of kHugePage. The memory holds anything.
  void* take(size_t bytes) {
    for (Block& block : blocks_)
      if (block.bytes == bytes) {
        void* data = block.data;
        block = {};
        return data;
      }
    clear();                               // so that a thread never holds more than the tables of one block
    void* data = ::operator new(bytes, kAligned);
#if defined(MADV_HUGEPAGE)
    madvise(data, bytes, MADV_HUGEPAGE);   // advice: without it the table is as good, and slower
#endif
    return data;
  }
  void give(void* data, size_t bytes) {
    Block& oldest = blocks_[next_++ % kBlocks];
    ::operator delete(oldest.data, kAligned);
    oldest = {data, bytes};
  }

 private:
  static constexpr unsigned kBlocks = 3;   // buckets, matches, corrections of one block
  struct Block {
    void* data = nullptr;
    size_t bytes = 0;
  };
  void clear() {
    for (Block& block : blocks_) {
      ::operator delete(block.data, kAligned);
      block = {};
    }
  }

  Block blocks_[kBlocks];
  unsigned next_ = 0;
};
#if defined(ELMAN_NO_THREADS)
inline KeptTables kept_tables;
#else
inline thread_local KeptTables kept_tables;
#endif

// A vector's memory.
template <class T>
struct Huge {
  using value_type = T;
  Huge() = default;
  template <class U> Huge(const Huge<U>&) {}
  T* allocate(size_t n) {
    size_t bytes = n * sizeof(T);
    return static_cast<T*>(bytes < kHugePage ? ::operator new(bytes, kLine) : kept_tables.take(whole(bytes)));
  }
  void deallocate(T* p, size_t n) {
    size_t bytes = n * sizeof(T);
    if (bytes < kHugePage) ::operator delete(p, kLine);
    else kept_tables.give(p, whole(bytes));
  }
  bool operator==(const Huge&) const { return true; }
  bool operator!=(const Huge&) const { return false; }

 private:
  static constexpr std::align_val_t kLine{64};
  static size_t whole(size_t bytes) { return (bytes + kHugePage - 1) / kHugePage * kHugePage; }
};

}  // namespace elman::coding
