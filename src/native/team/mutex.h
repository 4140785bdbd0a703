// A mutex; where the kernel is built without threads, nothing.
#pragma once

#if !defined(ELMAN_NO_THREADS)
#include <mutex>
#endif

namespace elman {

#if defined(ELMAN_NO_THREADS)
struct Mutex {};
struct Lock {
  explicit Lock(Mutex&) {}
  ~Lock() {}                               // so that nobody finds it unused
};
#else
using Mutex = std::mutex;
using Lock = std::lock_guard<std::mutex>;
#endif

}  // namespace elman
