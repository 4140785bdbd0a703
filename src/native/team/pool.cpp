#include "pool.h"

#include <atomic>
#include <mutex>
#include <new>

#include "cores.h"
#include "scratch.h"
#include "wait.h"

#if !defined(_WIN32)
#include <pthread.h>
#endif

namespace elman {
namespace {

struct Pool;
struct alignas(64) Worker {
  Signal start;
  Pool* pool;
  int id;
};

constexpr int kMostThreads = 1024;

thread_local bool in_region = false;  // of several threads: what it calls gets this one alone
thread_local bool alone = false;      // see compute_alone

struct Pool {
  std::mutex busy;  // held by the caller whose region runs
  Shelf shelf;
  const int cores = usable_cores();
  const Cores allowed = process_cores();
  std::atomic<int> threads{default_threads(cores)};
  Worker* workers[kMostThreads];                 // each has its thread
  int count = 0;
  bool full = false;                             // the system would start no more
  // The region that runs. Written before the workers' start, read until `left` is zero.
  void (*body)(void*, const Team&) noexcept = nullptr;
  void* context = nullptr;
  int n = 1;
  float* memory = nullptr;
  int64_t shared = 0, each = 0;
  int caller_core = -1;  // -1: not known, or more threads than cores
  bool spin = true;
  alignas(64) std::atomic<int> left{0};
  Signal finished;
  alignas(64) std::atomic<int> arrived{0};
  Signal passed;
  std::atomic<int> threads_now{1};

  Team seat(int id) const { return {id, n, memory, memory + shared + id * each}; }
  bool spin_between() const { return threads_now.load(std::memory_order_relaxed) <= cores; }

  void serve(Worker& worker) {
    FloatEnvironment environment;
    in_region = true;
    for (uint32_t seen = 0;;) {
      seen = worker.start.wait(seen, spin_between());
      if (caller_core >= 0 && current_core() == caller_core) leave_core(caller_core, allowed);
      body(context, seat(worker.id));
      if (left.fetch_sub(1) == 1) finished.bump();
    }
  }

  // Start threads until `wanted` serve, the caller among them, or the system refuses one; returns how many do.
  int grow(int wanted) {
    while (count < wanted - 1 && count < kMostThreads && !full) {
      auto* worker = new (std::nothrow) Worker{{}, this, count + 1};
      auto run = [](void* given) -> void* {
        auto* own = static_cast<Worker*>(given);
        return own->pool->serve(*own), nullptr;
      };
      if (worker && start_thread(run, worker)) workers[count++] = worker;
      else delete worker, full = true;   // those that we have will do
    }
    int serving = count + 1;
    return wanted < serving ? wanted : serving;
  }
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
#if !defined(_WIN32)
    // A forked child has none of the threads: it starts its own pool.
    static bool registered = false;
    if (!registered) pthread_atfork(nullptr, nullptr, [] { the_pool.store(nullptr); });
    registered = true;
#endif
    the_pool.store(p, std::memory_order_release);
  }
  return *p;
}

}  // namespace

int get_threads() { return pool().threads.load(std::memory_order_relaxed); }

void set_threads(int n) {
  Pool& p = pool();
  std::lock_guard<std::mutex> lock(p.busy);
  p.threads.store(n);
  p.full = false;
}

void compute_alone() { alone = true; }

void Team::barrier() const {
  if (n == 1) return;
  Pool& p = pool();
  uint32_t before = p.passed.value();
  if (p.arrived.fetch_add(1) == n - 1) {
    p.arrived.store(0, std::memory_order_relaxed);
    p.passed.bump();
  } else {
    p.passed.wait(before, p.spin);
  }
}

Region::Region(int want) {
  Pool& p = pool();
  int threads = get_threads();
  if (want > threads) want = threads;
  if (want <= 1 || in_region || alone || !p.busy.try_lock()) return;
  n_ = p.grow(want);
  if (n_ == 1) p.busy.unlock();
}

Region::~Region() {
  if (n_ > 1) pool().busy.unlock();
}

Shared Region::shared(int64_t floats) { return {extend(shared_, floats)}; }
Each Region::each(int64_t floats) { return {extend(each_, floats)}; }

void Region::start(void (*body)(void*, const Team&) noexcept, void* context) {
  Pool& p = pool();
  Scratch memory(p.shelf, shared_ + n_ * each_);
  FloatEnvironment environment;
  if (n_ == 1) return body(context, {0, 1, memory.data(), memory.data() + shared_});
  p.body = body, p.context = context, p.n = n_;
  p.memory = memory.data(), p.shared = shared_, p.each = each_;
  p.spin = n_ <= p.cores;
  p.caller_core = n_ <= p.cores ? current_core() : -1;
  p.threads_now.store(n_, std::memory_order_relaxed);
  p.left.store(n_ - 1);
  uint32_t before = p.finished.value();
  for (int i = 0; i < n_ - 1; ++i) p.workers[i]->start.bump();
  in_region = true;
  body(context, p.seat(0));
  in_region = false;
  // A worker that was held up between its last two lines announces an earlier region's end here: so look again.
  for (uint32_t seen = before; p.left.load() != 0;) seen = p.finished.wait(seen, p.spin);
}

}  // namespace elman
