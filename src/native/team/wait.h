// Waiting for other threads: spin for a moment, then sleep, so a busy neighbour on the same cores costs time in
// proportion and no more.
#pragma once
#include <atomic>
#include <cstdint>

// ELMAN_NO_FUTEX builds on Linux what serves elsewhere, so its tests run there.
#if defined(__linux__) && !defined(ELMAN_NO_FUTEX)
#define ELMAN_FUTEX
#else
#include <condition_variable>
#include <mutex>
#endif

namespace elman {

// A counter that threads wait on.
class Signal {
 public:
  uint32_t value() const { return value_.load(std::memory_order_acquire); }
  void bump() {
    value_.fetch_add(1);
    if (sleepers_.load() > 0) wake();
  }
  // Until the value is another than `old`; returns it.
  uint32_t wait(uint32_t old, bool spin);

 private:
  void sleep(uint32_t old);  // may return early
  void wake();

  std::atomic<uint32_t> value_{0};
  std::atomic<int> sleepers_{0};
#if !defined(ELMAN_FUTEX)
  std::mutex mutex_;
  std::condition_variable changed_;
#endif
};

}  // namespace elman
