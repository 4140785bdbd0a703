// How many cores this process may use, and which of them a thread runs on.
#pragma once
#include <string>

#if defined(__linux__)
#include <sched.h>
#endif

namespace elman {

// Those that its affinity and its container's quota leave it; at least 1.
int usable_cores();

// The threads that a pool starts with: ELMAN_THREADS where it is a whole number in 1 .. 1024; else the cores, divided
// between the LOCAL_WORLD_SIZE processes that torchrun starts on one machine.
int default_threads(int cores);

// Whether the system started a thread that runs this, and that nobody waits for.
bool start_thread(void* (*run)(void*), void* given);

// The smallest quota, in cores rounded up, that control groups set for a process; 0: none. `self` is the text of
// /proc/self/cgroup, `root` where the groups are mounted.
int cgroup_limit(const std::string& self, const std::string& root);

// The kernel likes to wake a thread on the core of the one that wakes it, where the two then take turns: half the speed.
// A worker that finds itself on its caller's core moves to the others that the process may use.
#if defined(__linux__)
using Cores = cpu_set_t;
#else
struct Cores {};
#endif
Cores process_cores();
int current_core();  // -1: not known
void leave_core(int core, Cores set);

}  // namespace elman
