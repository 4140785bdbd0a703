#include "wait.h"

#include <chrono>

#if defined(ELMAN_FUTEX)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace elman {
namespace {

constexpr auto kSpin = std::chrono::microseconds(100);

void relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

uint32_t Signal::wait(uint32_t old, bool spin) {
  if (spin) {
    auto end = std::chrono::steady_clock::now() + kSpin;
    do {
      for (int i = 0; i < 32; ++i) {
        uint32_t now = value();
        if (now != old) return now;
        relax();
      }
    } while (std::chrono::steady_clock::now() < end);
  }
  // bump() changes the value and then looks for sleepers; here it is the other way round. So one sees the other.
  sleepers_.fetch_add(1);
  uint32_t now;
  while ((now = value_.load()) == old) sleep(old);
  sleepers_.fetch_sub(1);
  return now;
}

#if defined(ELMAN_FUTEX)
static_assert(sizeof(std::atomic<uint32_t>) == 4, "futex needs a plain word");
void Signal::sleep(uint32_t old) { syscall(SYS_futex, &value_, FUTEX_WAIT_PRIVATE, old, nullptr, nullptr, 0); }
void Signal::wake() { syscall(SYS_futex, &value_, FUTEX_WAKE_PRIVATE, 1 << 30, nullptr, nullptr, 0); }
#else
void Signal::sleep(uint32_t old) {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [&] { return value_.load() != old; });
}
void Signal::wake() {
  { std::lock_guard<std::mutex> lock(mutex_); }  // one that has read the old value is asleep once we have the lock
  changed_.notify_all();
}
#endif

}  // namespace elman
