#include "pool.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if !defined(_WIN32)
#include <pthread.h>
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

int usable_cores() {
#if defined(__linux__)
  cpu_set_t set;
  int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  if (FILE* f = std::fopen("/sys/fs/cgroup/cpu.max", "r")) {  // a container's quota, where there is one
    long quota, period;
    if (std::fscanf(f, "%ld %ld", &quota, &period) == 2 && period > 0 && quota > 0) {
      int limit = int((quota + period - 1) / period);
      if (limit < cores) cores = limit;
    }
    std::fclose(f);
  }
  return cores < 1 ? 1 : cores;
#else
  unsigned n = std::thread::hardware_concurrency();
  return n ? int(n) : 1;
#endif
}

// The kernel likes to wake a thread on the core of the one that wakes it, where the two then take turns: half the speed.
// A worker that finds itself on its caller's core moves to the others that the process may use.
#if defined(__linux__)
int current_core() { return sched_getcpu(); }
cpu_set_t process_cores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) CPU_ZERO(&set);
  return set;
}
void leave_core(int core, cpu_set_t set) {
  CPU_CLR(core, &set);
  if (CPU_COUNT(&set) > 0) sched_setaffinity(0, sizeof set, &set);
}
#else
struct cpu_set_t {};
int current_core() { return -1; }
cpu_set_t process_cores() { return {}; }
void leave_core(int, cpu_set_t) {}
#endif

// A counter that threads wait on.
struct Signal {
  std::atomic<uint32_t> value{0};
  std::atomic<int> sleepers{0};

  void bump() {
    value.fetch_add(1);
    if (sleepers.load() > 0) wake();
  }

  // Until value != old; returns it.
  uint32_t wait(uint32_t old, bool spin) {
    if (spin) {
      auto end = std::chrono::steady_clock::now() + kSpin;
      do {
        for (int i = 0; i < 32; ++i) {
          uint32_t now = value.load(std::memory_order_acquire);
          if (now != old) return now;
          relax();
        }
      } while (std::chrono::steady_clock::now() < end);
    }
    sleepers.fetch_add(1);
    uint32_t now;
    while ((now = value.load()) == old) sleep(old);
    sleepers.fetch_sub(1);
    return now;
  }

#if defined(__linux__)
  static_assert(sizeof(std::atomic<uint32_t>) == 4, "futex needs a plain word");
  void sleep(uint32_t old) { syscall(SYS_futex, &value, FUTEX_WAIT_PRIVATE, old, nullptr, nullptr, 0); }
  void wake() { syscall(SYS_futex, &value, FUTEX_WAKE_PRIVATE, 1 << 30, nullptr, nullptr, 0); }
#else
  void sleep(uint32_t) { std::this_thread::sleep_for(std::chrono::microseconds(50)); }
  void wake() {}
#endif
};

struct alignas(64) Worker {
  Signal start;
};

struct Pool {
  std::mutex busy;  // held by the caller whose region runs
  int cores = usable_cores();
  cpu_set_t allowed = process_cores();
  int threads;
  std::vector<std::unique_ptr<Worker>> workers;
  // The region that runs. Written before the workers' start, read until `left` is zero.
  void (*fn)(void*, const Team&) = nullptr;
  void* context = nullptr;
  int n = 1;
  int caller_core = -1;  // -1: not known, or more threads than cores
  bool spin = true;
  alignas(64) std::atomic<int> left{0};
  Signal finished;
  alignas(64) std::atomic<int> arrived{0};
  Signal passed;

  Pool() {
    threads = cores;
    if (const char* text = std::getenv("ELMAN_THREADS")) {
      char* end;
      long value = std::strtol(text, &end, 10);
      if (*text && !*end && value >= 1 && value <= 1024) threads = int(value);  // cpu.py reports a bad value
    }
  }

  void grow(int n_threads) {
    while (int(workers.size()) < n_threads - 1) {
      workers.push_back(std::make_unique<Worker>());
      Worker* worker = workers.back().get();
      int id = int(workers.size());
      std::thread([this, worker, id] {
        FloatEnvironment environment;
        for (uint32_t seen = 0;;) {
          seen = worker->start.wait(seen, spin_between());
          if (caller_core >= 0 && current_core() == caller_core) leave_core(caller_core, allowed);
          fn(context, Team{id, n});
          if (left.fetch_sub(1) == 1) finished.bump();
        }
      }).detach();
    }
  }

  bool spin_between() const { return threads_now.load(std::memory_order_relaxed) <= cores; }
  std::atomic<int> threads_now{1};
};

std::atomic<Pool*> the_pool{nullptr};
std::mutex making;

Pool& pool() {
  Pool* p = the_pool.load(std::memory_order_acquire);
  if (p) return *p;
  std::lock_guard<std::mutex> lock(making);
  p = the_pool.load();
  if (!p) {
    p = new Pool;  // never freed: its threads are detached and outlive static destruction
    static bool registered = false;
#if !defined(_WIN32)
    // A forked child has none of the threads: it starts a pool of its own.
    if (!registered) pthread_atfork(nullptr, nullptr, [] { the_pool.store(nullptr); });
#endif
    registered = true;
    the_pool.store(p, std::memory_order_release);
  }
  return *p;
}

struct Buffers {
  float* data[SLOTS] = {};
  int64_t size[SLOTS] = {};
  ~Buffers() {
    for (float* p : data) std::free(p);
  }
};
thread_local Buffers buffers;

}  // namespace

int get_threads() { return pool().threads; }

void set_threads(int n) {
  Pool& p = pool();
  std::lock_guard<std::mutex> lock(p.busy);
  p.threads = n;
}

void Team::barrier() const {
  if (n == 1) return;
  Pool& p = pool();
  uint32_t before = p.passed.value.load(std::memory_order_acquire);
  if (p.arrived.fetch_add(1) == n - 1) {
    p.arrived.store(0, std::memory_order_relaxed);
    p.passed.bump();
  } else {
    p.passed.wait(before, p.spin);
  }
}

void run_team(int want, void (*fn)(void*, const Team&), void* context) {
  FloatEnvironment environment;
  Pool& p = pool();
  int n = want < p.threads ? want : p.threads;
  if (n <= 1 || !p.busy.try_lock()) {
    fn(context, Team{0, 1});
    return;
  }
  std::lock_guard<std::mutex> lock(p.busy, std::adopt_lock);
  p.grow(n);
  p.fn = fn, p.context = context, p.n = n, p.spin = n <= p.cores;
  p.caller_core = n <= p.cores ? current_core() : -1;
  p.threads_now.store(n, std::memory_order_relaxed);
  p.left.store(n - 1);
  uint32_t before = p.finished.value.load();
  for (int i = 0; i < n - 1; ++i) p.workers[i]->start.bump();
  fn(context, Team{0, n});
  // A worker that was held up between its last two lines announces an earlier region's end here: so look again.
  for (uint32_t seen = before; p.left.load() != 0;) seen = p.finished.wait(seen, p.spin);
}

float* scratch(Slot slot, int64_t floats) {
  Buffers& b = buffers;
  if (floats > b.size[slot] || !b.data[slot]) {
    std::free(b.data[slot]);
    b.data[slot] = nullptr, b.size[slot] = 0;
    int64_t bytes = (floats * 4 + 127) / 64 * 64;
    b.data[slot] = static_cast<float*>(std::aligned_alloc(64, size_t(bytes)));
    if (!b.data[slot]) throw std::bad_alloc();
    b.size[slot] = floats;
  }
  return b.data[slot];
}

#if defined(__x86_64__)
FloatEnvironment::FloatEnvironment() : saved_(_mm_getcsr()) {
  if ((saved_ & 0xffc0) != 0x1f80) _mm_setcsr(0x1f80);
}
FloatEnvironment::~FloatEnvironment() {
  if ((saved_ & 0xffc0) != 0x1f80) _mm_setcsr(unsigned(saved_));
}
#elif defined(__aarch64__)
FloatEnvironment::FloatEnvironment() {
  asm volatile("mrs %0, fpcr" : "=r"(saved_));
  if (saved_ != 0) asm volatile("msr fpcr, %0" : : "r"(uint64_t(0)));
}
FloatEnvironment::~FloatEnvironment() {
  if (saved_ != 0) asm volatile("msr fpcr, %0" : : "r"(saved_));
}
#else
FloatEnvironment::FloatEnvironment() : saved_(0) {}
FloatEnvironment::~FloatEnvironment() {}
#endif

}  // namespace elman
